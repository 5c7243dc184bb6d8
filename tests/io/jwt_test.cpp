// Tokens verified with the public key, and the alphabets against the RFCs' own examples.
#include "io/jwt.hpp"

#include "tests/support/certificates.hpp"
#include "tests/support/jwt_reader.hpp"

#include <doctest/doctest.h>

#include <string>

namespace muster {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

const std::shared_ptr<EVP_PKEY>& rsa_key() {
    static const std::shared_ptr<EVP_PKEY> made = test::make_rsa_key(2048);
    return made;
}

}  // namespace

TEST_CASE("jwt: base64 and base64url as in RFC 4648 and RFC 7515") {
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("foobar") == "Zm9vYmFy");
    CHECK(base64url("") == "");
    CHECK(base64url("f") == "Zg");
    CHECK(base64url("\xff\xfe\xfb") == "__77");
    CHECK(base64url("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}") ==
          "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9");
    std::string all;
    for (int c = 0; c < 256; ++c) {
        all += static_cast<char>(c);
        CHECK(test::decode_base64url(base64url(all)) == all);
    }
}

TEST_CASE("jwt: the token holds what the service asks for, and verifies") {
    const auto key = rsa_key();
    const sys_seconds issued{seconds(1'600'000'000)};
    const jwt_claims claims{"f6a5", "https://acme.example/AdminInterface/restapi/v1", issued,
                            issued + seconds(1800)};
    const result<std::string> token = sign_jwt(*key, claims);
    REQUIRE(token.has_value());
    CHECK(token->find('=') == std::string::npos);
    const test::read_jwt read = test::open_jwt(*token, *key);
    CHECK(read.header == R"({"typ":"JWT","alg":"RS256"})");
    CHECK(
        read.claims ==
        R"({"sub":"f6a5","aud":"https://acme.example/AdminInterface/restapi/v1","iat":1600000000,"exp":1600001800})");
    CHECK(read.genuine);
    CHECK_FALSE(test::open_jwt(*token, *test::make_rsa_key(2048)).genuine);
    std::string forged = *token;
    forged[forged.find('.') + 3] ^= 1;
    CHECK_FALSE(test::open_jwt(forged, *key).genuine);
}

TEST_CASE("jwt: claims are escaped") {
    const auto key = rsa_key();
    const result<std::string> token = sign_jwt(*key, {"a\"b\\c\n", "u", sys_seconds{}, sys_seconds{}});
    REQUIRE(token.has_value());
    CHECK(test::open_jwt(*token, *key).claims == R"({"sub":"a\"b\\c\n","aud":"u","iat":0,"exp":0})");
}

TEST_CASE("jwt: a key of another kind is a failure, not a token that no server takes") {
    const result<std::string> token =
        sign_jwt(*test::make_ec_key(), {"a", "b", sys_seconds{}, sys_seconds{}});
    REQUIRE(token.has_error());
    CHECK(token.error().is(errc::bad_credentials));
}

}  // namespace muster
