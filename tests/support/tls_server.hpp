// A small HTTPS server for tests, scripted by a function that talks to one client. It knows just enough HTTP
// to find the end of a request; every reply is the bytes that the test gives.
#pragma once

#include "tests/support/certificates.hpp"
#include "tests/support/tcp_server.hpp"

#include <openssl/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace muster::test {

/// One client of a tls_server, after the handshake; blocking.
class tls_peer {
  public:
    tls_peer(SSL* ssl, int fd) : ssl_(ssl), fd_(fd) {}

    /// The next request, whole; "" when the client is gone.
    std::string request();
    bool send(std::string_view bytes);

    /// Ends the connection without close_notify, or with a reset.
    void cut() { polite_ = false; }
    void reset();

    /// Sends nothing more, and does not say so in TLS, but goes on to listen.
    void close_half();

    /// Puts bytes on the wire that are no TLS, or none that we encrypted.
    void send_unencrypted(std::string_view bytes);

    /// Waits until the client closes.
    void hang();

    [[nodiscard]] bool polite() const { return polite_; }
    [[nodiscard]] bool resumed() const;
    [[nodiscard]] std::string server_name() const;

  private:
    SSL* ssl_;
    int fd_;
    std::string kept_;
    bool polite_ = true;
};

class tls_server {
  public:
    /// `script` runs once for each connection; when it returns the connection is closed with close_notify.
    /// `newest_version` (TLS1_1_VERSION …) bounds what the server speaks, 0 for no bound; `ciphers` what it
    /// offers up to TLS 1.2.
    tls_server(const identity& own, std::function<void(tls_peer&)> script, int newest_version = 0,
               const char* ciphers = "ALL");

    [[nodiscard]] std::string port() const { return server_->port(); }
    [[nodiscard]] int accepted() const { return server_->accepted(); }

  private:
    void serve(int fd);

    std::shared_ptr<SSL_CTX> context_;
    std::function<void(tls_peer&)> script_;
    std::unique_ptr<tcp_server> server_;  ///< last: its threads use the rest
};

/// A complete reply with a Content-Length; `headers` are whole lines.
std::string reply_text(int status, std::string_view body, std::string_view headers = {});

}  // namespace muster::test
