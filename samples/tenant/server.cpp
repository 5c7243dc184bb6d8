// Everything that is not one connection: accepting, the sweep for deadlines, the signals, the end. One
// thread.
#include "samples/tenant/server.hpp"

#include "samples/tenant/connection.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <openssl/ssl.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_set>
#include <utility>

namespace tenant {
namespace {

namespace ssl = net::ssl;
using boost::system::error_code;
using tcp = net::ip::tcp;
using Acceptor = net::basic_socket_acceptor<tcp, Executor>;
constexpr net::as_tuple_t<net::use_awaitable_t<Executor>> as_result{};

std::string text_of(const tcp::endpoint& endpoint) {
    const auto address = endpoint.address();
    return address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), endpoint.port())
                           : fmt::format("{}:{}", address.to_string(), endpoint.port());
}

class Listener {
  public:
    Listener(Shared& shared, const tcp::endpoint& endpoint)
        : shared_(shared),
          acceptor_(shared.context),
          signals_(shared.context, SIGINT, SIGTERM),
          sweep_timer_(shared.context),
          room_(shared.context) {
        error_code failed;
        acceptor_.open(endpoint.protocol(), failed);
        if (!failed) acceptor_.set_option(net::socket_base::reuse_address(true), failed);
        if (!failed) acceptor_.bind(endpoint, failed);
        if (!failed) acceptor_.listen(net::socket_base::max_listen_connections, failed);
        if (failed)
            throw std::runtime_error("cannot listen on " + text_of(endpoint) + ": " + failed.message());
    }

    [[nodiscard]] tcp::endpoint address() const { return acceptor_.local_endpoint(); }

    void start() {
        spawn(accept());
        spawn(sweep());
        spawn(end_on_signal());
    }

  private:
    /// The one spawn site: what a coroutine throws comes out of the context's run().
    void spawn(task<void> work) {
        net::co_spawn(shared_.context.get_executor(), std::move(work), [](const std::exception_ptr& failure) {
            if (failure) std::rethrow_exception(failure);
        });
    }

    task<void> accept();
    task<void> sweep();
    task<void> end_on_signal();
    task<void> serve_connection(std::shared_ptr<Connection> connection);

    Shared& shared_;
    Acceptor acceptor_;
    net::basic_signal_set<Executor> signals_;
    Timer sweep_timer_;
    Timer room_;  ///< never expires; cancelled when a connection ends
    std::unordered_set<Connection*> connections_;
};

task<void> Listener::accept() {
    while (!shared_.stopping) {
        if (connections_.size() >= shared_.options.most_connections) {
            room_.expires_at(Clock::time_point::max());
            co_await room_.async_wait(as_result);
            continue;
        }
        auto [failed, socket] = co_await acceptor_.async_accept(as_result);
        if (shared_.stopping) co_return;
        if (failed) {  // out of descriptors, or the peer has gone: let others finish first
            room_.expires_after(std::chrono::milliseconds{100});
            co_await room_.async_wait(as_result);
            continue;
        }
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        spawn(serve_connection(make_connection(shared_, std::move(socket))));
    }
}

task<void> Listener::serve_connection(std::shared_ptr<Connection> connection) {
    connections_.insert(connection.get());
    co_await connection->run();
    connections_.erase(connection.get());
    room_.cancel();
}

/// Ends connections that are past their deadline, once a second.
task<void> Listener::sweep() {
    while (!shared_.stopping || !connections_.empty()) {
        sweep_timer_.expires_after(std::chrono::milliseconds{shared_.stopping ? 20 : 1000});
        co_await sweep_timer_.async_wait(as_result);
        const auto now = Clock::now();
        const auto open = connections_;  // ending one may change the set
        for (auto* connection : open) connection->enforce_deadline(now);
    }
}

task<void> Listener::end_on_signal() {
    const auto [failed, signal] = co_await signals_.async_wait(as_result);
    if (failed) co_return;
    shared_.stopping = true;
    acceptor_.close();
    room_.cancel();
    sweep_timer_.cancel();
    const auto open = connections_;
    for (auto* connection : open) connection->stop();
    Timer drain(shared_.context);
    const auto deadline = Clock::now() + shared_.options.drain_timeout;
    while (!connections_.empty() && Clock::now() < deadline) {
        drain.expires_after(std::chrono::milliseconds{10});
        co_await drain.async_wait(as_result);
    }
    const auto stuck = connections_;
    for (auto* connection : stuck) connection->abort();
}

void prepare_tls(ssl::context& tls, const ServerOptions& options) {
    tls.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                    ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
    SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_options(tls.native_handle(), SSL_OP_NO_RENEGOTIATION);
    tls.use_certificate_chain_file(options.certificate.string());
    tls.use_private_key_file(options.key.string(), ssl::context::pem);
}

}  // namespace

void serve(Service& service, Store& store, const ServerOptions& options,
           const std::function<void(const std::string&)>& ready) {
    net::io_context context(1);
    Shared shared{.context = context, .service = service, .commits{context, store}, .options = options};
    prepare_tls(shared.tls, options);
    Listener listener(shared, {net::ip::make_address(options.host), options.port});
    listener.start();
    ready(text_of(listener.address()));
    context.run();
}

}  // namespace tenant
