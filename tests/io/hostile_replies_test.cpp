// Every way in which a reply fails to come, from a real TLS server on loopback.
#include "io/https_client.hpp"
#include "tests/support/https_fixture.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <utility>

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
        const auto got = bench.exchange();
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

}  // namespace muster
