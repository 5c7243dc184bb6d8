// What all connections of a run share: the TLS settings (1.2 or newer, HTTP/1.1 by ALPN), the CAs that are
// trusted, and the last session ticket, which spares a connection that is made again half of its handshake.
// A resumed session is not verified again: it was, in this run, for this very host.
#pragma once

#include "io/https_client.hpp"
#include "io/tls_trust.hpp"

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace muster {

struct ssl_deleter {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
    void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
};
using ssl_ptr = std::unique_ptr<SSL, ssl_deleter>;

class tls_context final : public https_context {
  public:
    /// Throws std::runtime_error when OpenSSL cannot be set up at all.
    explicit tls_context(https_settings settings);

    /// Fails (usage) when the CA file cannot be read or holds no certificate.
    [[nodiscard]] result<void> load_trust();

    [[nodiscard]] const https_settings& settings() const noexcept override { return settings_; }

    /// A client SSL object that verifies the server; `problem` must outlive its handshake.
    [[nodiscard]] ssl_ptr new_ssl(trust_problem& problem);

    /// The next connection makes a full handshake.
    void forget_session() noexcept { session_.reset(); }

    /// The parts of every request that do not change: after the target, up to the bearer token.
    [[nodiscard]] const std::string& fixed_headers() const noexcept { return fixed_headers_; }

    /// "host:port", with brackets round an IPv6 address.
    [[nodiscard]] static std::string authority(const std::string& host, const std::string& port);

  private:
    static int keep_session(SSL* ssl, SSL_SESSION* session);

    https_settings settings_;
    std::string fixed_headers_;
    std::unique_ptr<SSL_CTX, ssl_deleter> context_;
    std::unique_ptr<SSL_SESSION, ssl_deleter> session_;
};

}  // namespace muster
