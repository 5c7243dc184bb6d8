// When tokens are renewed, in virtual time: no test here waits.
#include "io/token_source.hpp"

#include "tests/support/certificates.hpp"
#include "tests/support/jwt_reader.hpp"

#include <doctest/doctest.h>

#include <string>

namespace muster {
namespace {

using namespace std::chrono_literals;
using time_point = std::chrono::system_clock::time_point;

const time_point start{std::chrono::seconds(1'700'000'000)};

credentials sample() {
    static const std::shared_ptr<EVP_PKEY> key = test::make_rsa_key(2048);
    return {"a.key", "id", "https://acme.example/v1", key, {}};
}

std::shared_ptr<const bearer_token> at(token_source& source, time_point now) {
    const auto token = source.current(now);
    REQUIRE(token.has_value());
    return *token;
}

}  // namespace

TEST_CASE("token_source: one token serves until 4/5 of its life are gone") {
    token_source source(sample(), 30min);
    const auto first = at(source, start);
    CHECK(first->generation() == 1);
    CHECK(at(source, start + 24min - 1s)->text() == first->text());
    const auto second = at(source, start + 24min);
    CHECK(second->generation() == 2);
    CHECK(second->text() != first->text());
    CHECK(at(source, start + 25min)->generation() == 2);
}

TEST_CASE("token_source: a token lives as long as it was told, and never longer than an hour") {
    for (const auto& [asked, expected] : {std::pair{1800s, 1800s}, std::pair{86'400s, 3600s}}) {
        token_source source(sample(), asked);
        const test::read_jwt read = test::open_jwt(at(source, start + 700ms)->text(), *sample().key);
        CHECK(read.genuine);
        CHECK(read.claims == R"({"sub":"id","aud":"https://acme.example/v1","iat":1700000000,"exp":)" +
                                 std::to_string((1'700'000'000s + expected).count()) + "}");
    }
}

TEST_CASE("token_source: a clock that went back makes a new token, so that none was issued in the future") {
    token_source source(sample());
    const auto first = at(source, start);
    const auto second = at(source, start - 1h);
    CHECK(second->generation() == 2);
    CHECK(test::open_jwt(second->text(), *sample().key).claims.find("\"iat\":1699996400") !=
          std::string::npos);
    CHECK(at(source, start - 1h + 1min)->generation() == 2);
}

TEST_CASE("token_source: a burst of refusals of one token renews it once") {
    token_source source(sample());
    CHECK(at(source, start)->generation() == 1);
    source.refused(1);
    source.refused(1);
    CHECK(at(source, start + 1s)->generation() == 2);
    source.refused(1);
    CHECK(at(source, start + 2s)->generation() == 2);
    source.refused(2);
    CHECK(at(source, start + 3s)->generation() == 3);
}

TEST_CASE("token_source: a token refused within the second it was signed in is followed by another one") {
    token_source source(sample());
    const auto first = at(source, start);
    source.refused(1);
    const auto second = at(source, start + 10ms);
    CHECK(second->text() != first->text());
    source.refused(2);
    const auto third = at(source, start + 20ms);
    CHECK(third->text() != second->text());
    CHECK(third->text() != first->text());
    CHECK(at(source, start + 30ms)->generation() == 3);
}

TEST_CASE("token_source: wherever the clock jumps, a token is never from the future, nor old by that clock") {
    token_source source(sample(), 30min);
    for (const auto jump : {0h, 5h, -3h, 20h, -20h, 1h, 2h, -1h}) {
        const time_point now = start + jump;
        const std::string claims = test::open_jwt(at(source, now)->text(), *sample().key).claims;
        const auto issued = std::stoll(claims.substr(claims.find("\"iat\":") + 6));
        const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
        CHECK(issued <= seconds);
        CHECK(issued > seconds - 24 * 60);
    }
}

TEST_CASE("token_source: a refusal before the first token changes nothing") {
    token_source source(sample());
    source.refused(7);
    CHECK(at(source, start)->generation() == 1);
}

}  // namespace muster
