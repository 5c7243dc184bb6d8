// Exchanges against a real TLS server on loopback.
#include "io/https_client.hpp"

#include "tests/support/https_fixture.hpp"

#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace muster {

using namespace std::chrono_literals;
using test::always;
using test::client_bench;
using test::failure_of;
using test::good_certificate;
using test::holds;
using test::reply_text;
using test::tls_peer;
using test::tls_server;

TEST_CASE("https_client: the request and the reply are what they should be") {
    std::string seen;
    std::string name;
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        name = peer.server_name();
        seen = peer.request();
        peer.send(
            reply_text(429, "{}",
                       "Retry-After: 7\r\nDate: d\r\nX-RateLimit-Remaining: 3\r\nRateLimit: \"a\";r=1\r\n"
                       "X-Rate-Limit-Reset: 9\r\nSet-Cookie: no\r\nServer: no\r\nLocation: l\r\n"));
    });
    client_bench bench(server.port());
    const auto got = bench.exchange();
    REQUIRE(got.has_value());
    CHECK(got->status == 429);
    CHECK(got->body == "{}");
    CHECK(got->header("retry-after") == "7");
    CHECK(got->header("x-ratelimit-remaining") == "3");
    CHECK(got->header("ratelimit") == "\"a\";r=1");
    CHECK(got->header("x-rate-limit-reset") == "9");
    CHECK(got->header("location") == "l");
    CHECK(got->header("content-type") == "application/json");
    CHECK(got->header("set-cookie").empty());
    CHECK(got->header("server").empty());
    CHECK(name == "localhost");
    CHECK(seen.starts_with("PATCH /api/v1/users/u/sidTokens/enable HTTP/1.1\r\nHost: localhost:" +
                           server.port() + "\r\nUser-Agent: muster/"));
    CHECK(holds(seen, "\r\nAccept: application/json\r\n"));
    CHECK(holds(seen, "\r\nAuthorization: Bearer a.b.c\r\n"));
    CHECK(holds(seen,
                "\r\nContent-Type: application/json\r\nContent-Length: 36\r\n\r\n{\"tokenSerialNumber\""));
}

TEST_CASE("https_client: one connection serves many requests") {
    const tls_server server(good_certificate(), always(reply_text(200, R"({"a":1})")));
    client_bench bench(server.port());
    for (int i = 0; i < 200; ++i) {
        const auto got = bench.exchange();
        REQUIRE(got.has_value());
        CHECK(got->body == R"({"a":1})");
        CHECK(bench.client().usable());
    }
    CHECK(server.accepted() == 1);
}

TEST_CASE("https_client: a request without a body") {
    std::string seen;
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        seen = peer.request();
        peer.send("HTTP/1.1 204 No Content\r\n\r\n");
        peer.hang();
    });
    client_bench bench(server.port());
    bench.request = {"GET", "/v2/users/u/devices", ""};
    const auto got = bench.exchange();
    REQUIRE(got.has_value());
    CHECK(got->status == 204);
    CHECK_FALSE(holds(seen, "Content-"));
    CHECK(bench.client().usable());
}

TEST_CASE("https_client: replies in every form that HTTP/1.1 allows") {
    const std::string body(20'000, 'x');
    struct form {
        std::string reply;
        std::string expected;
        bool kept;
    };
    const std::vector<form> forms = {
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: "
         "u\r\n\r\n",
         "abcdefg", true},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nDate: d\r\n\r\n" + reply_text(200, "x"), "x",
         true},
        {reply_text(200, body), body, true},
        {reply_text(200, "x", "Connection: close\r\n"), "x", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx", "x", false},
        {"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", false},
        {reply_text(200, "x") + "more", "x", false},
    };
    for (const form& f : forms) {
        const tls_server server(good_certificate(), [&](tls_peer& peer) {
            peer.request();
            peer.send(f.reply);
            if (f.expected != "to the end") peer.hang();
        });
        client_bench bench(server.port());
        const auto got = bench.exchange();
        REQUIRE_MESSAGE(got.has_value(), f.reply.substr(0, 60));
        CHECK(got->body == f.expected);
        CHECK_MESSAGE(bench.client().usable() == f.kept, f.reply.substr(0, 60));
    }
}

TEST_CASE(
    "https_client: a service that closes after each reply is connected to again, resuming the session") {
    std::atomic<int> resumed{0};
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        peer.request();
        peer.send(reply_text(200, "x"));
        resumed += peer.resumed() ? 1 : 0;
    });
    client_bench bench(server.port());
    for (int i = 0; i < 20; ++i) {
        const auto got = bench.exchange();
        // The close that nobody announced may come between usable() and the request.
        if (got.has_error()) continue;
        CHECK(got->body == "x");
        while (bench.client().usable()) std::this_thread::yield();
    }
    CHECK(server.accepted() == 20);
    CHECK(resumed == 19);
}

TEST_CASE("https_client: each request has its whole time, though the timer is not armed for each") {
    const tls_server server(good_certificate(), [](tls_peer& peer) {
        while (!peer.request().empty()) {
            std::this_thread::sleep_for(60ms);
            peer.send(reply_text(200, "x"));
        }
    });
    client_bench bench(server.port());
    bench.settings.request_timeout = 200ms;
    for (int i = 0; i < 6; ++i) CHECK(bench.exchange().has_value());
}

TEST_CASE("https_client: a request larger than the socket takes at once arrives whole") {
    std::atomic<std::size_t> received{0};
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        std::this_thread::sleep_for(50ms);
        received = peer.request().size();
        peer.send(reply_text(200, "x"));
        peer.hang();
    });
    client_bench bench(server.port());
    bench.request.body = std::string(8'000'000, 'x');
    REQUIRE(bench.exchange().has_value());
    CHECK(received > 8'000'000);
}

TEST_CASE("https_client: what would inject a header is not sent") {
    std::atomic<int> requests{0};
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        while (!peer.request().empty()) ++requests;
    });
    client_bench bench(server.port());
    REQUIRE(bench.connect().has_value());
    const std::string nul("a\0b", 3);
    for (const std::string& bad : {std::string("a b"), std::string("a\r\nX: y"), std::string("a\nb"), nul,
                                   std::string("a\tb"), std::string("\xc3\xa4"), std::string("\x7f")}) {
        bench.request.target = "/v1/" + bad;
        bench.bearer = "a.b.c";
        transport_failure failed = failure_of(bench.exchange());
        CHECK_FALSE(failed.maybe_received);
        CHECK(holds(failed.message, "not sent"));
        bench.request.target = "/v1/x";
        bench.bearer = bad;
        failed = failure_of(bench.exchange());
        CHECK_FALSE(failed.maybe_received);
        CHECK_FALSE(holds(failed.message, bad));
    }
    bench.request.target = "no-slash";
    CHECK_FALSE(failure_of(bench.exchange()).maybe_received);
    CHECK(bench.client().usable());
    CHECK(requests == 0);
}

TEST_CASE("https_client: a request on a connection that was reset in the meantime was not received") {
    auto server = std::make_unique<tls_server>(good_certificate(), [](tls_peer& peer) {
        peer.request();
        peer.send(reply_text(200, "x"));
        peer.reset();
        peer.hang();
    });
    client_bench bench(server->port());
    REQUIRE(bench.exchange().has_value());
    server.reset();
    // Without asking usable(), which would have told.
    const transport_failure failed =
        failure_of(test::run(bench.io, bench.client().exchange(bench.request, "t")));
    CHECK_FALSE(failed.maybe_received);
    CHECK(holds(failed.message, "sending the request"));
}

TEST_CASE("https_client: an exchange needs a connection") {
    client_bench bench("1");
    const transport_failure failed =
        failure_of(test::run(bench.io, bench.client().exchange(bench.request, "t")));
    CHECK_FALSE(failed.maybe_received);
    CHECK(holds(failed.message, "not connected"));
}

TEST_CASE("https_client: closing ends the exchange under way, and so does destroying the client") {
    const tls_server server(good_certificate(), [](tls_peer& peer) {
        peer.request();
        peer.hang();
    });
    for (const bool destroy : {false, true}) {
        client_bench bench(server.port());
        const auto context = https_context::create(bench.settings);
        auto client = std::make_unique<https_client>(bench.io.get_executor(), *context);
        REQUIRE(test::run(bench.io, client->connect()).has_value());
        boost::asio::steady_timer timer(bench.io, 30ms);
        timer.async_wait([&](const boost::system::error_code&) {
            if (destroy)
                client.reset();
            else
                client->close();
        });
        const auto began = std::chrono::steady_clock::now();
        const transport_failure failed =
            failure_of(test::run(bench.io, client->exchange(bench.request, "t")));
        CHECK(std::chrono::steady_clock::now() - began < 2s);
        CHECK(failed.maybe_received);
        CHECK(holds(failed.message, "closed here"));
        bench.io.restart();
        CHECK(bench.io.run_for(1s) < 100);
        CHECK(bench.io.stopped());
    }
}

}  // namespace muster
