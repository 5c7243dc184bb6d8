// Bearer tokens from both sides. base64url against the tenant's strict decoder; tokens that Muster signs for any subject
// and audience (the input's first two lines) are JSON inside and what the tenant accepts.
#include "engine/json_text.hpp"
#include "io/jwt.hpp"
#include "samples/tenant/jwt.hpp"
#include "samples/tenant/text.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/jwt_reader.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <simdjson.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

using namespace muster;
using namespace muster::fuzz;

namespace {

const std::shared_ptr<EVP_PKEY>& key() {
    static const std::shared_ptr<EVP_PKEY> made = test::make_rsa_key(2048);
    return made;
}

std::string public_pem() {
    const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
    require(PEM_write_bio_PUBKEY(out.get(), key().get()) == 1, "the public key is written");
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

void check_base64url(std::string_view bytes) {
    const std::string encoded = base64url(bytes);
    require(tenant::base64url_decoded(encoded) == std::string(bytes), "what is encoded is decoded");
    require(test::decode_base64url(encoded) == bytes, "by the reference, too");
    if (const auto decoded = tenant::base64url_decoded(bytes))
        require(base64url(*decoded) == bytes, "only one text is decoded to the same bytes");
}

/// Without what is not UTF-8, as JSON cannot hold it.
bool is_claim(const simdjson::dom::object& claims, const char* name, std::string_view wanted) {
    std::string_view found;
    require(claims[name].get(found) == simdjson::SUCCESS, "a claim is there");
    return found == wanted || !simdjson::validate_utf8(wanted);
}

}  // namespace

FUZZ_TARGET(jwt) {
    check_base64url(input);
    const auto first = std::min(input.find('\n'), input.size());
    const std::string subject(input.substr(0, first));
    std::string_view rest = input.substr(std::min(first + 1, input.size()));
    const std::string audience(rest.substr(0, rest.find('\n')));
    const std::chrono::sys_seconds issued(std::chrono::seconds(1'700'000'000));
    const auto token = sign_jwt(*key(), {subject, audience, issued, issued + std::chrono::seconds(1800)});
    require(token.has_value(), "the key signs");
    const auto opened = test::open_jwt(*token, *key());
    require(opened.genuine, "the signature is the key's");
    simdjson::dom::parser parser;
    simdjson::dom::object claims;
    require(parser.parse(opened.claims).get(claims) == simdjson::SUCCESS, "the claims are a JSON object");
    require(is_claim(claims, "sub", subject) && is_claim(claims, "aud", audience), "the claims hold what was given");
    if (!simdjson::validate_utf8(subject) || !simdjson::validate_utf8(audience) || token->size() > 8192) return;
    static const std::string pem = public_pem();
    tenant::JwtVerifier verifier({{subject, tenant::Role::help_desk, pem}}, audience);
    require(verifier.verify(*token, issued).has_value(), "the tenant takes what Muster signs");
}
