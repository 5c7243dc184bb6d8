// Addresses as people write them, and NO_PROXY as curl reads it.
#include "io/credentials.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace muster {
namespace {

credentials with_url(std::string url) {
    return {"a.key", "id", std::move(url), nullptr, {}};
}

std::string place(const std::string& url, const std::string& base_url = {}) {
    const result<endpoint> at = service_endpoint(with_url(url), base_url);
    return at ? at->host + "|" + at->port + "|" + at->base_path : "refused";
}

/// Sets variables for one test and takes them back.
struct environment {
    environment() { clear(); }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;
    ~environment() { clear(); }
    static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
    static void clear() {
        for (const char* name : {"https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"}) ::unsetenv(name);
    }
};

std::string proxy_for(const std::string& host, const std::string& no_proxy, const std::string& port = "443") {
    const environment clean;
    environment::set("HTTPS_PROXY", "http://proxy.example:3128");
    environment::set("NO_PROXY", no_proxy);
    const auto found = find_proxy({}, endpoint{host, port, {}});
    REQUIRE(found.has_value());
    return *found ? (*found)->host : "none";
}

}  // namespace

TEST_CASE("endpoint: the key file's address, with and without a version") {
    CHECK(place("https://acme.example/AdminInterface/restapi/v1") ==
          "acme.example|443|/AdminInterface/restapi");
    CHECK(place("https://acme.example/AdminInterface/restapi/") ==
          "acme.example|443|/AdminInterface/restapi");
    CHECK(place("https://ACME.example:8443/a/v2/") == "acme.example|8443|/a");
    CHECK(place("https://[::1]:8443") == "::1|8443|");
    CHECK(place("https://127.0.0.1/v1") == "127.0.0.1|443|");
}

TEST_CASE("endpoint: --base-url goes elsewhere, and keeps the key file's path unless it has one") {
    const std::string own = "https://acme.example/AdminInterface/restapi/v1";
    CHECK(place(own, "https://localhost:8443") == "localhost|8443|/AdminInterface/restapi");
    CHECK(place(own, "https://localhost:8443/") == "localhost|8443|/AdminInterface/restapi");
    CHECK(place(own, "https://localhost/x/v1") == "localhost|443|/x");
}

TEST_CASE("endpoint: what is no https address is refused") {
    for (const std::string url :
         {"", "acme", "http://acme.example/", "https://", "https:///v1", "https://u:p@acme.example/",
          "https://acme.example:0/", "https://acme.example:70000/", "https://acme.example/?a=b",
          "https://acme.example/#f", "https://acme.example/a b", "https://acme%0d%0a.example/", "ftp://a/"}) {
        CHECK_MESSAGE(place(url) == "refused", url);
        if (!url.empty()) CHECK_MESSAGE(place("https://acme.example/v1", url) == "refused", url);
    }
}

TEST_CASE("endpoint: --proxy, with its password out of sight") {
    const environment clean;
    const endpoint server{"acme.example", "443", {}};
    const auto plain = find_proxy("http://proxy.example:3128", server);
    REQUIRE((plain.has_value() && plain->has_value()));
    CHECK((*plain)->port == "3128");
    CHECK((*plain)->authorization.empty());
    const auto named = find_proxy("http://user:p%40ss@proxy.example/", server);
    REQUIRE((named.has_value() && named->has_value()));
    CHECK((*named)->port == "80");
    CHECK((*named)->authorization == "Basic dXNlcjpwQHNz");
    for (const std::string url :
         {"https://proxy.example", "socks5://user:secret@proxy.example",
          "http://user:secret@proxy.example/path", "http://user:secret@", "http://:80"}) {
        const auto refused = find_proxy(url, server);
        REQUIRE_MESSAGE(refused.has_error(), url);
        CHECK(refused.error().is(errc::usage));
        CHECK(refused.error().message.find("secret") == std::string::npos);
    }
}

TEST_CASE("endpoint: the proxy of the environment; lower case first, --proxy before both") {
    const environment clean;
    const endpoint server{"acme.example", "443", {}};
    CHECK_FALSE(find_proxy({}, server)->has_value());
    environment::set("HTTPS_PROXY", "upper.example:1");
    CHECK((*find_proxy({}, server))->host == "upper.example");
    environment::set("https_proxy", "http://lower.example:1");
    CHECK((*find_proxy({}, server))->host == "lower.example");
    environment::set("NO_PROXY", "*");
    CHECK_FALSE(find_proxy({}, server)->has_value());
    CHECK((*find_proxy("http://flag.example", server))->host == "flag.example");
    environment::set("https_proxy", "ftp://secret@x");
    environment::set("NO_PROXY", "");
    CHECK(find_proxy({}, server).error().message.find("https_proxy") != std::string::npos);
}

TEST_CASE("endpoint: NO_PROXY") {
    const std::string proxy = "proxy.example";
    for (const std::string list : {"*", "acme.example", ".example", "example", "x,ACME.example",
                                   " x, .acme.example ", "acme.example:443"})
        CHECK_MESSAGE(proxy_for("acme.example", list) == "none", list);
    for (const std::string list :
         {"", "x", "cme.example", "x.acme.example", "acme.example:8443", "example.org", ",", "*.org"})
        CHECK_MESSAGE(proxy_for("acme.example", list) == proxy, list);
    CHECK(proxy_for("127.0.0.1", "127.0.0.1") == "none");
    CHECK(proxy_for("127.0.0.1", "127.0.0.0/8") == "none");
    CHECK(proxy_for("127.0.0.1", "10.0.0.0/8") == proxy);
    CHECK(proxy_for("127.0.0.1", "0.0.1") == proxy);
    CHECK(proxy_for("::1", "[::1]:443") == "none");
    CHECK(proxy_for("::1", "::1") == "none");
    CHECK(proxy_for("fd00::1", "fd00::/8") == "none");
    CHECK(proxy_for("::1", "fd00::/8") == proxy);
    CHECK(proxy_for("::1", "[::1") == proxy);
}

}  // namespace muster
