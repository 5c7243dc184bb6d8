// One client's connection, from handshake to close, and what all connections share. Internal to the server:
// only connection.cpp knows of Beast and of the TLS stream.
#pragma once

#include "samples/tenant/commit_queue.hpp"
#include "samples/tenant/server.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include <chrono>
#include <memory>

namespace tenant {

using Clock = std::chrono::steady_clock;
using Executor = net::io_context::executor_type;
using Socket = net::basic_stream_socket<net::ip::tcp, Executor>;
using Timer = net::basic_waitable_timer<Clock, net::wait_traits<Clock>, Executor>;
template <typename Value>
using task = net::awaitable<Value, Executor>;

/// What the connections share. It outlives them.
struct Shared {
    net::io_context& context;
    net::ssl::context tls{net::ssl::context::tls_server};
    Service& service;
    CommitQueue commits;
    const ServerOptions& options;
    bool stopping = false;
};

class Connection {
  public:
    virtual ~Connection() = default;

    /// The connection's life. The object must outlive it.
    [[nodiscard]] virtual task<void> run() = 0;

    /// Closes the connection if its present phase has lasted too long.
    virtual void enforce_deadline(Clock::time_point now) = 0;

    /// Ends it after the request in flight, or at once where there is none.
    virtual void stop() = 0;

    /// Cuts it off; pending operations end with an error.
    virtual void abort() = 0;
};

[[nodiscard]] std::shared_ptr<Connection> make_connection(Shared& shared, Socket socket);

}  // namespace tenant
