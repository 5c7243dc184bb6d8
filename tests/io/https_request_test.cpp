// What goes over the wire for a request: the headers that stay the same are written once a connection.
#include "io/https_client.hpp"
#include "tests/support/https_fixture.hpp"

#include <doctest/doctest.h>

#include <mutex>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::test;

TEST_CASE("https_client: request after request, with other tokens, targets and bodies of any length, is what it is to be") {
    std::mutex guard;
    std::string seen;
    const tls_server server(good_certificate(), [&](tls_peer& peer) {
        for (;;) {
            const std::string request = peer.request();
            if (request.empty()) break;
            {
                const std::lock_guard lock(guard);
                seen = request;
            }
            if (!peer.send(reply_text(200, "{}"))) break;
        }
    });
    client_bench bench(server.port());
    const std::vector<std::string> bearers{"a.b.c", std::string(3500, 'z'), "q", "qq", std::string(6000, 'w'), "a.b.c"};
    const std::vector<std::string> targets{"/x", "/" + std::string(300, 't'), "/yy", "/" + std::string(600, 't')};
    const std::vector<std::pair<std::string, std::string>> calls{
        {"PATCH", R"({"k":1})"}, {"GET", ""}, {"PATCH", ""}, {"PATCH", std::string(3000, 'b')}};
    for (const auto& bearer : bearers)
        for (const auto& target : targets)
            for (const auto& [method, body] : calls) {
                bench.request = {method, target, body};
                bench.bearer = bearer;
                REQUIRE(bench.exchange().has_value());
                const std::lock_guard lock(guard);
                const auto end = seen.find("\r\n\r\n");
                const auto head = seen.substr(0, end + 2);
                CHECK(head.starts_with(method + " /api" + target + " HTTP/1.1\r\nHost: "));
                const auto authorization = head.find("\r\nAuthorization: Bearer " + bearer + "\r\n");
                CHECK(authorization != std::string::npos);
                CHECK(head.find("Authorization", authorization + 4) == std::string::npos);
                CHECK((head.find("Content-Type: application/json") != std::string::npos) == !body.empty());
                CHECK((head.find("Content-Length: " + std::to_string(body.size()) + "\r\n") != std::string::npos) ==
                      (method != "GET"));
                CHECK(seen.substr(end + 4) == body);
            }
    CHECK(server.accepted() == 1);
    for (const char* bad : {"", "a b"}) {
        bench.bearer = bad;
        CHECK(bench.exchange().has_error());
    }
    bench.bearer = "a.b.c";
    CHECK(bench.exchange().has_value());
}
