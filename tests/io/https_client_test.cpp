// Exchanges against a real TLS server on loopback: good ones, and every way in which a reply fails to come.
#include "io/https_client.hpp"

#include "tests/support/https_fixture.hpp"

#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace muster {
namespace {

using namespace std::chrono_literals;
using test::client_bench;
using test::good_certificate;
using test::holds;
using test::reply_text;
using test::tls_peer;
using test::tls_server;

/// Answers everything with `reply`, as long as the client asks.
auto always(std::string reply) {
    return [reply = std::move(reply)](tls_peer& peer) {
        while (!peer.request().empty())
            if (!peer.send(reply)) break;
    };
}

transport_failure failure_of(const exchange_result& got) {
    REQUIRE(got.has_error());
    return got.error();
}

}  // namespace

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
    const exchange_result got = bench.exchange();
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
        const exchange_result got = bench.exchange();
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
    const exchange_result got = bench.exchange();
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
        const exchange_result got = bench.exchange();
        REQUIRE_MESSAGE(got.has_value(), f.reply.substr(0, 60));
        CHECK(got->body == f.expected);
        CHECK_MESSAGE(bench.client().usable() == f.kept, f.reply.substr(0, 60));
    }
}

TEST_CASE("https_client: a reply cut at any byte is a failure that may have been received") {
    const std::string whole = reply_text(200, R"({"userId":"u"})");
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    const std::string endless = "HTTP/1.1 200 OK\r\n\r\nto the end";
    enum class end { orderly, cut, reset };
    std::atomic<end> how{};
    std::string part;
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        peer.request();
        peer.send(part);
        if (how == end::cut) peer.cut();
        if (how == end::reset) peer.reset();
    });
    client_bench bench(server.port());
    for (const std::string* reply : {&whole, &chunked, &endless})
        for (std::size_t size = 0; size <= reply->size(); ++size) {
            how = static_cast<end>(size % 3);
            if (size == reply->size() && reply != &endless) break;
            // A body that the end of the connection ends is whole with whatever came before close_notify.
            if (reply == &endless && size >= reply->find("to the end")) how = end::cut;
            part = reply->substr(0, size);
            CAPTURE(part);
            const transport_failure failed = failure_of(bench.exchange());
            CHECK(failed.maybe_received);
            CHECK_FALSE(failed.timed_out);
            CHECK_MESSAGE(holds(failed.message, "while "), failed.message);
            CHECK_FALSE(bench.client().usable());
        }
}

TEST_CASE("https_client: a reply that is not HTTP, or far too large, is a failure") {
    for (const std::string& reply :
         {std::string("SSH-2.0-OpenSSH_9\r\n\r\n"), std::string("HTTP/1.1 2x0 OK\r\n\r\n"),
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
          "HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'a') + "\r\n\r\n",
          std::string("HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n")}) {
        const tls_server server(good_certificate(), always(reply));
        client_bench bench(server.port());
        const transport_failure failed = failure_of(bench.exchange());
        CHECK(failed.maybe_received);
        CHECK_MESSAGE(holds(failed.message, "not valid HTTP"), failed.message);
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
        const exchange_result got = bench.exchange();
        // The close that nobody announced may come between usable() and the request.
        if (got.has_error()) continue;
        CHECK(got->body == "x");
        while (bench.client().usable()) std::this_thread::yield();
    }
    CHECK(server.accepted() == 20);
    CHECK(resumed == 19);
}

TEST_CASE("https_client: bytes that nobody asked for make a connection unusable") {
    std::promise<void> asked;
    std::promise<void> sent;
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        peer.request();
        peer.send(reply_text(200, "x"));
        asked.get_future().wait();
        peer.send(reply_text(408, ""));
        sent.set_value();
        peer.hang();
    });
    client_bench bench(server.port());
    REQUIRE(bench.exchange().has_value());
    CHECK(bench.client().usable());
    asked.set_value();
    sent.get_future().wait();
    CHECK_FALSE(bench.client().usable());
}

TEST_CASE(
    "https_client: a service that has closed its half gets no further request, and half a reply is none") {
    const std::string whole = reply_text(200, "x");
    for (std::size_t size :
         {std::size_t{0}, std::size_t{1}, whole.size() / 2, whole.size() - 1, whole.size()}) {
        CAPTURE(size);
        const tls_server server(good_certificate(), [&](tls_peer& peer) {
            peer.request();
            peer.send(whole.substr(0, size));
            peer.close_half();
            peer.hang();
        });
        client_bench bench(server.port());
        const exchange_result got = bench.exchange();
        if (size == whole.size()) {
            CHECK(got.has_value());
            while (bench.client().usable()) std::this_thread::yield();
        } else {
            const transport_failure failed = failure_of(got);
            CHECK(failed.maybe_received);
            CHECK_FALSE(failed.timed_out);
        }
        CHECK_FALSE(bench.client().usable());
    }
}

TEST_CASE("https_client: a reply that drips, headers or body, has the time of one request and no more") {
    const std::string whole = reply_text(200, std::string(5000, 'x'));
    for (const std::size_t quickly : {std::size_t{0}, whole.find("\r\n\r\n") + 4}) {
        std::atomic<bool> over{false};
        const tls_server server(good_certificate(), [&](tls_peer& peer) {
            peer.request();
            peer.send(whole.substr(0, quickly));
            for (std::size_t at = quickly; at < whole.size() && !over; ++at) {
                if (!peer.send(whole.substr(at, 1))) break;
                std::this_thread::sleep_for(5ms);
            }
        });
        client_bench bench(server.port());
        bench.settings.request_timeout = 150ms;
        const auto began = std::chrono::steady_clock::now();
        const transport_failure failed = failure_of(bench.exchange());
        over = true;
        CHECK(std::chrono::steady_clock::now() - began < 3s);
        CHECK(failed.timed_out);
        CHECK(failed.maybe_received);
        CHECK(holds(failed.message, "reading the reply"));
    }
}

TEST_CASE("https_client: a reply that never ends is given up, whatever part of it does not") {
    const std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string more(10'000, 'x');
    for (const auto& [start, again] :
         {std::pair{std::string("HTTP/1.1 200 OK\r\n\r\n"), more},
          std::pair{"HTTP/1.1 200 OK\r\nX: " + more, more}, std::pair{chunks, std::string("4\r\nabcd\r\n")},
          std::pair{chunks + "5;x=", more}, std::pair{chunks + "0\r\n", std::string("X: y\r\n")},
          std::pair{std::string(), std::string("HTTP/1.1 100 Continue\r\n\r\n")}}) {
        const tls_server server(good_certificate(), [&, start = start, again = again](tls_peer& peer) {
            peer.request();
            std::string block;
            while (block.size() < 10'000) block += again;
            for (bool going = peer.send(start); going;) going = peer.send(block);
        });
        client_bench bench(server.port());
        const transport_failure failed = failure_of(bench.exchange());
        CHECK(failed.maybe_received);
        CHECK_MESSAGE(holds(failed.message, "not valid HTTP"), failed.message);
        CHECK_FALSE(bench.client().usable());
    }
}

TEST_CASE("https_client: rubbish in place of TLS records breaks the connection, not the client") {
    for (const std::string& rubbish : {std::string("HTTP/1.1 200 OK\r\n\r\n"), std::string(100, '\0'),
                                       std::string("\x15\x03\x03\x00\x02\x02\x50", 7)}) {
        const tls_server server(good_certificate(), [&](tls_peer& peer) {
            peer.request();
            peer.send_unencrypted(rubbish);
            peer.hang();
        });
        client_bench bench(server.port());
        const transport_failure failed = failure_of(bench.exchange());
        CHECK(failed.maybe_received);
        CHECK_FALSE(failed.timed_out);
        CHECK_FALSE(bench.client().usable());
    }
}

TEST_CASE("https_client: a stalled reply times out") {
    for (const std::string& part : {std::string(), std::string("HTTP/1.1 200 OK\r\nContent-Le")}) {
        const tls_server server(good_certificate(), [&](tls_peer& peer) {
            peer.request();
            peer.send(part);
            peer.hang();
        });
        client_bench bench(server.port());
        bench.settings.request_timeout = 80ms;
        const transport_failure failed = failure_of(bench.exchange());
        CHECK(failed.timed_out);
        CHECK(failed.maybe_received);
        CHECK(holds(failed.message, part.empty() ? "waiting for the reply" : "reading the reply"));
        CHECK(holds(failed.message, "0.08 s"));
    }
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
