// Sets OpenSSL up for clients. With --ca-file only the CAs in it are trusted, and a CA in the middle of a
// chain may be named too (as curl allows it): companies often hand out just the CA that issued the
// certificate.
#include "io/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <utility>

#ifndef MUSTER_VERSION
#define MUSTER_VERSION "0"
#endif

namespace muster {
namespace {

constexpr std::array<unsigned char, 9> only_http_1_1{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
// For TLS 1.2 (RFC 9325, section 4.2): what is recorded today cannot be read with a key that leaks later. TLS
// 1.3 has nothing else.
constexpr const char* forward_secret = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL";

/// URLs are checked where they are read; this is the last line against a value that would split a header.
result<void> check_settings(const https_settings& settings) {
    const proxy_endpoint no_proxy;
    const proxy_endpoint& proxy = settings.proxy ? *settings.proxy : no_proxy;
    for (const std::string_view text :
         {std::string_view(settings.server.host), std::string_view(settings.server.port),
          std::string_view(settings.server.base_path), std::string_view(proxy.host),
          std::string_view(proxy.port), std::string_view(proxy.authorization)})
        for (const char c : text)
            if (c < 0x20 || c > 0x7e)
                return error(errc::usage,
                             "the address of the service or the proxy holds a control character");
    if (settings.server.base_path.find(' ') != std::string::npos)
        return error(errc::usage, "the path of the service's address holds a space");
    return {};
}

}  // namespace

result<std::shared_ptr<https_context>> https_context::create(https_settings settings) {
    const result<void> checked = check_settings(settings);
    if (!checked) return checked.error();
    auto made = std::make_shared<tls_context>(std::move(settings));
    const result<void> loaded = made->load_trust();
    if (!loaded) return loaded.error();
    return std::shared_ptr<https_context>(std::move(made));
}

tls_context::tls_context(https_settings settings)
    : settings_(std::move(settings)), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX* ctx = context_.get();
    if (ctx == nullptr || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, forward_secret) != 1 ||
        SSL_CTX_set_alpn_protos(ctx, only_http_1_1.data(), only_http_1_1.size()) != 0)
        throw std::runtime_error("OpenSSL cannot be set up for TLS 1.2 and newer");
    SSL_CTX_set_security_level(ctx, 2);  // no keys under 2048 bits (RSA), no SHA-1 signatures
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(ctx, 1);  // a record in one read instead of two
    SSL_CTX_set_app_data(ctx, this);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, &tls_context::keep_session);

    const bool usual_port = settings_.server.port == "443";
    fixed_headers_ = fmt::format(
        " HTTP/1.1\r\nHost: {}\r\nUser-Agent: muster/{}\r\nAccept: application/json\r\n"
        "Authorization: Bearer ",
        usual_port ? authority(settings_.server.host, {})
                   : authority(settings_.server.host, settings_.server.port),
        MUSTER_VERSION);
}

result<void> tls_context::load_trust() {
    const std::string& file = settings_.ca_file;
    ERR_clear_error();
    if (file.empty()) {
        if (SSL_CTX_set_default_verify_paths(context_.get()) == 1) return {};
        return error(errc::usage, "the system's CA certificates cannot be read; name a file with --ca-file");
    }
    std::FILE* readable = std::fopen(file.c_str(), "re");
    if (readable == nullptr)
        return error(errc::usage, fmt::format("CA file {} cannot be read: {}", file, std::strerror(errno)));
    std::fclose(readable);
    if (SSL_CTX_load_verify_file(context_.get(), file.c_str()) != 1) {
        ERR_clear_error();
        return error(errc::usage,
                     fmt::format("CA file {} holds no certificate in PEM, or a broken one", file));
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context_.get()), X509_V_FLAG_PARTIAL_CHAIN);
    return {};
}

ssl_ptr tls_context::new_ssl(trust_problem& problem) {
    ssl_ptr ssl(SSL_new(context_.get()));
    if (!ssl) throw std::runtime_error("OpenSSL is out of memory");
    verify_chain(*ssl, problem);
    if (!verify_host(*ssl, settings_.server.host)) return nullptr;
    if (session_) SSL_set_session(ssl.get(), session_.get());
    SSL_set_connect_state(ssl.get());
    return ssl;
}

int tls_context::keep_session(SSL* ssl, SSL_SESSION* session) {
    auto* self = static_cast<tls_context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    self->session_.reset(session);
    return 1;  // the reference is ours now
}

std::string tls_context::authority(const std::string& host, const std::string& port) {
    std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (!port.empty()) out += ":" + port;
    return out;
}

}  // namespace muster
