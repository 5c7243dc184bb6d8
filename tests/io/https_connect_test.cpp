// Connecting: whom the client trusts, how it goes through a proxy, and what it says when it cannot.
#include "tests/support/https_fixture.hpp"

#include <doctest/doctest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <string>

namespace muster {
namespace {

using namespace std::chrono_literals;
using test::certificate_form;
using test::client_bench;
using test::good_certificate;
using test::holds;
using test::identity;
using test::make_certificate;
using test::tls_peer;
using test::tls_server;
using test::trusted_authority;

void greet(tls_peer& peer) {
    while (!peer.request().empty()) peer.send(test::reply_text(200, "hello"));
}

error failure_of(client_bench& bench) {
    const result<void> connected = bench.connect();
    REQUIRE(connected.has_error());
    CHECK_FALSE(bench.client().usable());
    return connected.error();
}

/// The sentence with which a certificate is refused.
std::string objection_to(const identity& own, const std::string& host = "localhost") {
    std::atomic<int> requests{0};
    const tls_server server(own, [&](tls_peer& peer) { requests += peer.request().empty() ? 0 : 1; });
    client_bench bench(server.port(), host);
    const error failed = failure_of(bench);
    CHECK(failed.is(errc::untrusted_server));
    CHECK(holds(failed.message, host + ":" + server.port()));
    CHECK(requests == 0);
    return failed.message;
}

/// A proxy that answers CONNECT with `answer` and, when that is a success, passes everything on.
auto proxy(std::string answer, std::string& asked, std::string& target) {
    return [answer = std::move(answer), &asked, &target](int fd) {
        std::string kept;
        asked = test::read_request([fd] { return test::receive_some(fd); }, kept);
        if (!test::send_all(fd, answer) || answer.find(" 200 ") == std::string::npos) return;
        const int out = test::connect_to(target);
        if (out < 0) return;
        test::relay(fd, out);
        ::close(out);
    };
}

}  // namespace

TEST_CASE("https_connect: names and addresses are verified against the certificate") {
    const tls_server server(good_certificate(), greet);
    for (const std::string host : {"localhost", "127.0.0.1"}) {
        client_bench bench(server.port(), host);
        REQUIRE(bench.exchange().has_value());
    }
}

TEST_CASE("https_connect: a certificate for another host") {
    certificate_form form;
    form.alternatives = "DNS:other.example,IP:10.0.0.1";
    const identity other = make_certificate(form, &trusted_authority());
    const std::string by_name = objection_to(other);
    CHECK(holds(by_name, "is not for localhost"));
    CHECK(holds(by_name, "it is for other.example, 10.0.0.1"));
    CHECK(holds(objection_to(other, "127.0.0.1"), "is not for 127.0.0.1"));
    form.alternatives = "DNS:127.0.0.1";
    CHECK(holds(objection_to(make_certificate(form, &trusted_authority()), "127.0.0.1"),
                "is not for 127.0.0.1"));
    form.alternatives = "DNS:l*calhost,DNS:*";
    CHECK(holds(objection_to(make_certificate(form, &trusted_authority())), "is not for localhost"));
}

TEST_CASE("https_connect: a certificate out of its time") {
    certificate_form form;
    form.not_before = -200'000;
    form.not_after = -100'000;
    const std::string expired = objection_to(make_certificate(form, &trusted_authority()));
    CHECK(holds(expired, "has expired"));
    CHECK(holds(expired, "it was valid until 20"));
    CHECK(holds(expired, "clock of this machine"));
    form.not_before = 100'000;
    form.not_after = 200'000;
    CHECK(holds(objection_to(make_certificate(form, &trusted_authority())), "is not valid yet"));
}

TEST_CASE("https_connect: a certificate that nobody vouches for") {
    const std::string alone = objection_to(make_certificate({}));
    CHECK(holds(alone, "is self-signed"));
    CHECK(holds(alone, "--ca-file"));
    const identity stranger = test::make_authority("Stranger CA");
    const std::string unknown = objection_to(make_certificate({}, &stranger));
    CHECK(holds(unknown, "unknown CA"));
    CHECK(holds(unknown, "Stranger CA"));
    CHECK(holds(unknown, "--ca-file"));
}

TEST_CASE("https_connect: the system's CAs do not know a test's CA") {
    const tls_server server(good_certificate(), greet);
    client_bench bench(server.port());
    bench.settings.ca_file.clear();
    CHECK(failure_of(bench).is(errc::untrusted_server));
}

TEST_CASE("https_connect: a CA file that is missing or empty of certificates is a usage error") {
    const test::scratch_directory files;
    client_bench bench("1");
    for (const auto& [file, part] : {std::pair{files / "none.pem", "No such file"},
                                     std::pair{files.write("a.pem", "hello\n"), "no certificate"}}) {
        bench.settings.ca_file = file;
        const auto context = https_context::create(bench.settings);
        REQUIRE(context.has_error());
        CHECK(context.error().is(errc::usage));
        CHECK(holds(context.error().message, part));
        CHECK(holds(context.error().message, file));
    }
}

TEST_CASE("https_connect: an address whose path would split the request line is a usage error") {
    for (const std::string& bad : {std::string("/a b"), std::string("/a\r\nX: y"), std::string("/\x7f")}) {
        client_bench bench("1");
        bench.settings.server.base_path = bad;
        const auto context = https_context::create(bench.settings);
        REQUIRE(context.has_error());
        CHECK(context.error().is(errc::usage));
        CHECK_FALSE(holds(context.error().message, bad));
    }
}

TEST_CASE("https_connect: TLS 1.2 is spoken, 1.1 is not") {
    const tls_server modest(good_certificate(), greet, TLS1_2_VERSION);
    client_bench good(modest.port());
    CHECK(good.exchange().has_value());
    const tls_server old(good_certificate(), greet, TLS1_1_VERSION);
    client_bench bench(old.port());
    const error failed = failure_of(bench);
    CHECK(failed.is(errc::unreachable));
    CHECK(holds(failed.message, "the TLS handshake with localhost:" + old.port() + " failed"));
    CHECK(holds(failed.message, "TLS 1.2 or newer"));
}

TEST_CASE("https_connect: ciphers without forward secrecy or authentication are not agreed to") {
    for (const char* const weak : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AECDH-AES256-SHA",
                                   "ADH-AES256-GCM-SHA384", "ECDHE-ECDSA-NULL-SHA"}) {
        CAPTURE(weak);
        const tls_server server(good_certificate(), greet, TLS1_2_VERSION, weak);
        client_bench bench(server.port());
        const error failed = failure_of(bench);
        CHECK(failed.is(errc::unreachable));
        CHECK(holds(failed.message, "TLS handshake"));
    }
    for (const char* const good : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
        CAPTURE(good);
        const tls_server server(good_certificate(), greet, TLS1_2_VERSION, good);
        CHECK(client_bench(server.port()).exchange().has_value());
    }
}

TEST_CASE("https_connect: what is no TLS server at all") {
    const test::tcp_server plain([](int fd) {
        test::receive_some(fd);
        test::send_all(fd, "HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    client_bench bench(plain.port());
    const error failed = failure_of(bench);
    CHECK(failed.is(errc::unreachable));
    CHECK(holds(failed.message, "is there a TLS server"));
}

TEST_CASE("https_connect: refused, unknown and silent") {
    std::string free_port;
    {
        const test::tcp_server gone([](int) {});
        free_port = gone.port();
    }
    client_bench refused(free_port);
    const error no_one = failure_of(refused);
    CHECK(no_one.is(errc::unreachable));
    CHECK(holds(no_one.message, "cannot connect to localhost:" + free_port + ": connection refused"));

    client_bench unknown("443", "no-such-host.invalid");
    unknown.settings.connect_timeout = 1s;
    const error nameless = failure_of(unknown);
    CHECK(nameless.is(errc::unreachable));
    CHECK(holds(nameless.message, "the name of no-such-host.invalid:443 cannot be looked up"));

    const test::tcp_server silent([](int fd) {
        while (!test::receive_some(fd).empty()) continue;
    });
    client_bench waiting(silent.port());
    waiting.settings.connect_timeout = 100ms;
    const error late = failure_of(waiting);
    CHECK(late.is(errc::unreachable));
    CHECK(holds(late.message,
                "the TLS handshake with localhost:" + silent.port() + " failed: no answer within 0.1 s"));
}

TEST_CASE("https_connect: a handshake cut at any moment is a failure and no more") {
    const tls_server server(good_certificate(), greet);
    for (std::size_t allowed = 0; allowed < 600; allowed += 40) {
        const test::tcp_server cutter([&](int fd) {
            const int out = test::connect_to(server.port());
            test::send_all(out, test::receive_some(fd));
            test::send_all(fd, test::receive_some(out).substr(0, allowed));
            ::close(out);
        });
        client_bench bench(cutter.port());
        CHECK(failure_of(bench).is(errc::unreachable));
    }
}

TEST_CASE("https_connect: every TLS alert there could be ends the handshake with a message") {
    std::size_t alerts = 0;
    std::atomic<char> level{}, what{};  // of the alert that the server's thread is to send
    const test::tcp_server server([&](int fd) {
        test::receive_some(fd);
        test::send_all(fd, std::string("\x15\x03\x03\x00\x02", 5) + level.load() + what.load());
    });
    for (const int l : {1, 2})
        for (int w = 0; w < 256; ++w, ++alerts) {
            level = static_cast<char>(l);
            what = static_cast<char>(w);
            client_bench bench(server.port());
            const error failed = failure_of(bench);
            CHECK(failed.is(errc::unreachable));
            CHECK_MESSAGE(holds(failed.message, "the TLS handshake with localhost:"), failed.message);
            if (l == 2 && w == 40)
                CHECK_MESSAGE(holds(failed.message, "handshake failure"), failed.message);
        }
    MESSAGE(alerts << " alerts");
}

TEST_CASE("https_connect: through a proxy, with a password") {
    const tls_server server(good_certificate(), greet);
    std::string asked;
    std::string target = server.port();
    for (const std::string version : {"HTTP/1.1", "HTTP/1.0"}) {
        const test::tcp_server through(proxy(version + " 200 Connection established\r\n\r\n", asked, target));
        client_bench bench(server.port());
        bench.settings.proxy = proxy_endpoint{"127.0.0.1", through.port(), "Basic dXNlcjpwYXNz"};
        const auto got = bench.exchange();
        REQUIRE(got.has_value());
        CHECK(got->body == "hello");
        CHECK(asked.starts_with("CONNECT localhost:" + server.port() + " HTTP/1.1\r\nHost: localhost:"));
        CHECK(holds(asked, "\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
        CHECK_FALSE(holds(asked, "a.b.c"));
    }
}

TEST_CASE("https_connect: a proxy that refuses, babbles, breaks off, is silent or is not there") {
    std::string asked;
    std::string target = "1";
    struct refusal {
        std::string answer;
        std::string part;
    };
    for (const refusal& r :
         {refusal{"HTTP/1.1 407 Auth\r\nContent-Length: 3\r\n\r\nabc", "it answered 407; check the user"},
          refusal{"HTTP/1.1 403 No\r\n\r\n", "it answered 403"}, refusal{"hello\r\n\r\n", "not valid HTTP"},
          refusal{"HTTP/1.1 20", "closed by the other side"}}) {
        const test::tcp_server server(proxy(r.answer, asked, target));
        client_bench bench("443");
        bench.settings.proxy = proxy_endpoint{"127.0.0.1", server.port(), "Basic c2VjcmV0"};
        const error failed = failure_of(bench);
        CHECK(failed.is(errc::unreachable));
        CHECK(holds(failed.message,
                    "the proxy 127.0.0.1:" + server.port() + " gave no connection to localhost:443"));
        CHECK_MESSAGE(holds(failed.message, r.part), failed.message);
        CHECK_FALSE(holds(failed.message, "c2VjcmV0"));
    }
    client_bench bench("443");
    bench.settings.proxy = proxy_endpoint{"127.0.0.1", "1", {}};
    CHECK(holds(failure_of(bench).message, "cannot connect to the proxy 127.0.0.1:1"));
}

}  // namespace muster
