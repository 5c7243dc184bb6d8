// The tenant's verifier. An input of two lines, header and claims, is signed with the key of one administrator and
// claims to be anyone; any other input is the token itself. Accepted is only what that key's owner may say, now.
#include "samples/tenant/jwt.hpp"
#include "samples/tenant/text.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/tenant/signing.hpp"

#include <simdjson.h>

#include <string>
#include <string_view>

using namespace tenant;
using namespace std::chrono_literals;
using muster::fuzz::require;

namespace {

const std::string signer = "signer", other = "other";
const std::string audience = "https://localhost:8443/AdminInterface/restapi/v1";
const JwtVerifier::Seconds now{1'700'000'000s};

struct times {
    double issued = 0;
    double expires = 0;
};

times times_of(std::string_view claims) {
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    times t;
    require(parser.parse(claims.data(), claims.size()).get(object) == simdjson::SUCCESS, "accepted claims are JSON");
    require(object["iat"].get(t.issued) == simdjson::SUCCESS && object["exp"].get(t.expires) == simdjson::SUCCESS,
            "accepted claims have their times");
    return t;
}

void check_signed(JwtVerifier& verifier, std::string_view header, std::string_view claims) {
    const auto token = tenant_test::signed_token(header, claims, tenant_test::first_key().private_key);
    const auto verdict = verifier.verify(token, now);
    if (!verdict) return require(!verdict.error().message.empty(), "a refusal says why");
    require((*verdict)->access_id == signer, "a key speaks for its owner only");
    require(header.find("none") == std::string_view::npos || header.find("RS256") != std::string_view::npos,
            "no algorithm is none");
    const auto t = times_of(claims);
    require(t.issued <= 1'700'000'061.0 && t.expires > 1'699'999'940.0 && t.expires - t.issued < 3602,
            "what is accepted is valid now");
    require(verifier.verify(token, now).has_value(), "and is accepted again");
    require(!verifier.verify(token, now + 2h).has_value(), "but not for ever");
    require(!verifier.verify(token.substr(0, token.size() - 2), now + 1s).has_value(), "its signature must be whole");
}

}  // namespace

FUZZ_TARGET(tenant_jwt) {
    static JwtVerifier verifier({{signer, Role::help_desk, tenant_test::first_key().public_key},
                                 {other, Role::super_admin, tenant_test::second_key().public_key}},
                                audience);
    const auto line = input.find('\n');
    if (line != std::string_view::npos) return check_signed(verifier, input.substr(0, line), input.substr(line + 1));
    const auto verdict = verifier.verify(input, now);
    require(!verdict && !verdict.error().message.empty(), "nobody can sign without the key");
}
