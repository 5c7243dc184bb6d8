// Plain blocking OpenSSL on the socket; security level 0 so that TLS 1.1 can be offered to a client that must
// refuse it.
#include "tests/support/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <stdexcept>
#include <sys/socket.h>
#include <utility>

namespace muster::test {

std::string tls_peer::request() {
    const auto read = [this]() -> std::string {
        std::array<char, 16'384> buffer{};
        const int got = SSL_read(ssl_, buffer.data(), static_cast<int>(buffer.size()));
        return got > 0 ? std::string(buffer.data(), static_cast<std::size_t>(got)) : std::string();
    };
    return read_request(read, kept_);
}

bool tls_peer::send(std::string_view bytes) {
    return bytes.empty() || SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

void tls_peer::reset() {
    reset_on_close(fd_);
    polite_ = false;
}

void tls_peer::close_half() {
    ::shutdown(fd_, SHUT_WR);
    polite_ = false;
}

void tls_peer::send_unencrypted(std::string_view bytes) {
    send_all(fd_, bytes);
    polite_ = false;
}

void tls_peer::hang() {
    while (!receive_some(fd_).empty()) continue;
}

bool tls_peer::resumed() const {
    return SSL_session_reused(ssl_) == 1;
}

std::string tls_peer::server_name() const {
    const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    return name != nullptr ? name : "";
}

tls_server::tls_server(const identity& own, std::function<void(tls_peer&)> script, int newest_version,
                       const char* ciphers)
    : context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free), script_(std::move(script)) {
    SSL_CTX* ctx = context_.get();
    const bool ready = SSL_CTX_use_certificate(ctx, own.certificate.get()) == 1 &&
                       SSL_CTX_use_PrivateKey(ctx, own.key.get()) == 1 &&
                       SSL_CTX_set_cipher_list(ctx, (std::string(ciphers) + ":@SECLEVEL=0").c_str()) == 1 &&
                       SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION) == 1 &&
                       SSL_CTX_set_max_proto_version(ctx, newest_version) == 1;
    if (!ready) throw std::runtime_error("tls_server: set-up");
    server_ = std::make_unique<tcp_server>([this](int fd) { serve(fd); });
}

void tls_server::serve(int fd) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context_.get()), SSL_free);
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) == 1) {
        tls_peer peer(ssl.get(), fd);
        script_(peer);
        if (peer.polite()) SSL_shutdown(ssl.get());
    }
    ERR_clear_error();
}

std::string reply_text(int status, std::string_view body, std::string_view headers) {
    std::string out = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n";
    out.append(headers);
    out += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    out.append(body);
    return out;
}

}  // namespace muster::test
