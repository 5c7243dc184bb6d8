// One persistent TLS connection to the service (through a CONNECT proxy where one is set): connects, sends
// one request at a time, reads one reply. It keeps deadlines and says exactly what failed and whether the
// request may have arrived; it decides nothing. The certificate chain and the host name are verified always.
#pragma once

#include "engine/error.hpp"
#include "engine/http.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// Where requests go.
struct endpoint {
    std::string host;  ///< name or address (IPv6 without brackets), also for SNI and verification
    std::string port;
    std::string
        base_path;  ///< path of the API base without version and trailing slash: "/AdminInterface/restapi"
};

/// An HTTP CONNECT proxy.
struct proxy_endpoint {
    std::string host;
    std::string port;
    std::string authorization;  ///< value of Proxy-Authorization, empty for none; a secret
};

struct https_settings {
    endpoint server;
    std::optional<proxy_endpoint> proxy;
    std::string ca_file;                                ///< PEM; empty: the system's store
    std::chrono::milliseconds connect_timeout{10'000};  ///< name look-up, TCP, proxy and TLS together
    std::chrono::milliseconds request_timeout{30'000};  ///< from the first byte sent to the last received
};

/// What all connections of a run share: settings, TLS context and session cache.
class https_context {
  public:
    /// Fails (usage) when the CA file cannot be read or holds no certificate, or when the address holds a
    /// character that would split a header or the request line.
    static result<std::shared_ptr<https_context>> create(https_settings settings);
    virtual ~https_context() = default;
    [[nodiscard]] virtual const https_settings& settings() const noexcept = 0;
};

/// A reply, which the client keeps until it connects, exchanges again or is gone; or what kept it from
/// coming.
using exchange_result = boost::system::result<std::reference_wrapper<const http_reply>, transport_failure>;

class https_client {
  public:
    https_client(boost::asio::any_io_executor executor, std::shared_ptr<https_context> context);
    ~https_client();
    https_client(const https_client&) = delete;
    https_client& operator=(const https_client&) = delete;

    /// Connects afresh (drops an old connection). Fails with untrusted_server (the certificate: the message
    /// says which: expired, wrong host, unknown CA …) or unreachable (all else, timeouts too).
    boost::asio::awaitable<result<void>> connect();

    /// True while the connection can take a request: connected, kept alive by the last reply, and not closed
    /// by the peer in the meantime (which it looks for, so that a stale connection costs no doubtful
    /// request).
    [[nodiscard]] bool usable();

    /// As usable(), without looking: for a connection that brought a reply this moment.
    [[nodiscard]] bool open() const noexcept;

    /// Sends and reads. `bearer` is the bare token. The arguments must live until it returns. After a
    /// failure, or a reply that ends the connection, usable() is false.
    boost::asio::awaitable<exchange_result> exchange(const http_request& request, std::string_view bearer);

    /// Drops the connection; an exchange under way ends with a failure.
    void close();

  private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace muster
