// One good bearer token, and a sweep of everything that can be wrong with one.
#include "samples/tenant/jwt.hpp"

#include "tests/tenant/signing.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tenant;
using namespace tenant_test;

namespace {

const std::string header = R"({"typ":"JWT","alg":"RS256"})";
const std::string first_id = "11111111-1111-4111-8111-111111111111";
const std::string second_id = "22222222-2222-4222-8222-222222222222";
const std::string audience = "https://localhost:8443/AdminInterface/restapi/v1";
constexpr long now_seconds = 1'700'000'000;

JwtVerifier::Seconds at(long seconds) {
    return JwtVerifier::Seconds{std::chrono::seconds{seconds}};
}

JwtVerifier make_verifier() {
    return JwtVerifier({{first_id, Role::help_desk, first_key().public_key},
                        {second_id, Role::super_admin, second_key().public_key}},
                       audience);
}

std::string quoted(const std::string& text) {
    return '"' + text + '"';
}

/// Claims from JSON values as given; an empty value leaves the claim out.
std::string claims(const std::string& sub, const std::string& aud, const std::string& iat,
                   const std::string& exp) {
    std::string json = "{";
    const auto add = [&](const char* name, const std::string& value) {
        if (value.empty()) return;
        if (json.size() > 1) json += ',';
        json += quoted(name) + ":" + value;
    };
    add("sub", sub);
    add("aud", aud);
    add("iat", iat);
    add("exp", exp);
    return json + "}";
}

std::string good_claims() {
    return claims(quoted(first_id), quoted(audience), std::to_string(now_seconds),
                  std::to_string(now_seconds + 3600));
}

bool accepts(const std::string& token, long now = now_seconds) {
    auto verifier = make_verifier();
    return verifier.verify(token, at(now)).has_value();
}

bool accepts_claims(const std::string& json, long now = now_seconds) {
    return accepts(signed_token(header, json, first_key().private_key), now);
}

}  // namespace

TEST_CASE("jwt: a good token names its administrator, again and again") {
    auto verifier = make_verifier();
    const auto token = signed_token(header, good_claims(), first_key().private_key);
    for (int i = 0; i < 3; ++i) {
        const auto admin = verifier.verify(token, at(now_seconds + i));
        REQUIRE(admin.has_value());
        CHECK((*admin)->access_id == first_id);
        CHECK((*admin)->role == Role::help_desk);
    }
}

TEST_CASE("jwt: a remembered token still expires") {
    auto verifier = make_verifier();
    const auto token = signed_token(header, good_claims(), first_key().private_key);
    CHECK(verifier.verify(token, at(now_seconds)).has_value());
    CHECK(verifier.verify(token, at(now_seconds + 3600 + 59)).has_value());
    CHECK_FALSE(verifier.verify(token, at(now_seconds + 3600 + 60)).has_value());
    CHECK_FALSE(verifier.verify(token, at(now_seconds - 61)).has_value());
}

TEST_CASE("jwt: the skew is sixty seconds on either side") {
    CHECK(accepts_claims(good_claims(), now_seconds - 60));
    CHECK_FALSE(accepts_claims(good_claims(), now_seconds - 61));
    CHECK(accepts_claims(good_claims(), now_seconds + 3600 + 59));
    CHECK_FALSE(accepts_claims(good_claims(), now_seconds + 3600 + 60));
}

TEST_CASE("jwt: every claim missing, wrong or of another type is refused") {
    const auto sub = quoted(first_id), aud = quoted(audience), iat = std::to_string(now_seconds),
               exp = std::to_string(now_seconds + 3600);
    for (const std::string bad :
         {"", "null", "1", "\"\"", "\"33333333-3333-4333-8333-333333333333\"", "[]"}) {
        CAPTURE(bad);
        CHECK_FALSE(accepts_claims(claims(bad, aud, iat, exp)));
    }
    for (const std::string bad : {"", "null", "1", "\"\"", "[]", "[1]", "{}", "\"https://localhost:8443\"",
                                  "\"https://localhost:8443/AdminInterface/restapi/v1/\"",
                                  "\"https://localhost:8443/AdminInterface/restapi/v2\"",
                                  "[\"https://elsewhere/AdminInterface/restapi/v1\"]"}) {
        CAPTURE(bad);
        CHECK_FALSE(accepts_claims(claims(sub, bad, iat, exp)));
    }
    for (const std::string bad : {"", "null", "\"1700000000\"", "1e30", "[]"}) {
        CAPTURE(bad);
        CHECK_FALSE(accepts_claims(claims(sub, aud, bad, exp)));
        CHECK_FALSE(accepts_claims(claims(sub, aud, iat, bad)));
    }
    CHECK_FALSE(accepts_claims(claims(sub, aud, iat, std::to_string(now_seconds + 3601))));
    CHECK_FALSE(accepts_claims(claims(sub, aud, iat, iat)));
    CHECK_FALSE(accepts_claims("[]"));
    CHECK_FALSE(accepts_claims("{"));
    CHECK_FALSE(accepts_claims(""));
}

TEST_CASE("jwt: the audience may be a list, and may lack the version") {
    const auto sub = quoted(first_id), iat = std::to_string(now_seconds),
               exp = std::to_string(now_seconds + 60);
    CHECK(accepts_claims(claims(sub, "[\"x\"," + quoted(audience) + "]", iat, exp)));
    CHECK(accepts_claims(claims(sub, quoted(audience.substr(0, audience.size() - 3)), iat, exp)));
}

TEST_CASE("jwt: only RS256 with the subject's own key is believed") {
    for (const std::string alg : {"none", "None", "HS256", "RS384", "RS512", "PS256", "ES256", "rs256", ""}) {
        CAPTURE(alg);
        const auto other = R"({"typ":"JWT","alg":")" + alg + R"("})";
        CHECK_FALSE(accepts(signed_token(other, good_claims(), first_key().private_key)));
        CHECK_FALSE(accepts(base64url(other) + "." + base64url(good_claims()) + "."));
        CHECK_FALSE(accepts(hmac_token(other, good_claims(), first_key().public_key)));
    }
    CHECK_FALSE(accepts(hmac_token(header, good_claims(), first_key().public_key)));
    CHECK_FALSE(accepts(signed_token(header, good_claims(), second_key().private_key)));
    CHECK_FALSE(accepts(signed_token(R"({"typ":"JWT"})", good_claims(), first_key().private_key)));
    CHECK_FALSE(
        accepts(signed_token(R"({"typ":"other","alg":"RS256"})", good_claims(), first_key().private_key)));
    CHECK_FALSE(accepts(
        signed_token(R"({"alg":"RS256","crit":["x"],"x":1})", good_claims(), first_key().private_key)));
    CHECK(accepts(signed_token(R"({"alg":"RS256"})", good_claims(), first_key().private_key)));
}

TEST_CASE("jwt: every truncation and every flipped byte is refused") {
    const auto token = signed_token(header, good_claims(), first_key().private_key);
    auto verifier = make_verifier();
    for (std::size_t size = 0; size < token.size(); ++size) {
        CAPTURE(size);
        CHECK_FALSE(verifier.verify(token.substr(0, size), at(now_seconds)).has_value());
    }
    for (std::size_t i = 0; i < token.size(); ++i) {
        CAPTURE(i);
        for (const int flip : {1, 2, 4, 8, 16, 32}) {
            auto bad = token;
            bad[i] = static_cast<char>(bad[i] ^ flip);
            CHECK_FALSE(verifier.verify(bad, at(now_seconds)).has_value());
        }
    }
    CHECK_FALSE(verifier.verify(token + "=", at(now_seconds)).has_value());
    CHECK_FALSE(verifier.verify(token + ".", at(now_seconds)).has_value());
    CHECK_FALSE(verifier.verify(" " + token, at(now_seconds)).has_value());
    CHECK(verifier.verify(token, at(now_seconds)).has_value());
}

TEST_CASE("jwt: many different tokens are all served, beyond what is remembered") {
    auto verifier = make_verifier();
    for (long i = 0; i < 1100; ++i) {
        const auto json = claims(quoted(first_id), quoted(audience), std::to_string(now_seconds),
                                 std::to_string(now_seconds + 60 + i));
        REQUIRE(verifier.verify(signed_token(header, json, first_key().private_key), at(now_seconds))
                    .has_value());
    }
}
