// RFC 7515, 7519 and the rules of the legacy API key: `sub` an accessID, `aud` the tenant's, one hour at
// most.
#include "samples/tenant/jwt.hpp"

#include "samples/tenant/text.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <utility>

namespace tenant {
namespace {

constexpr std::size_t most_remembered = 1024;
constexpr std::size_t longest_token = 8192;

simdjson::dom::parser& json_parser() {
    thread_local simdjson::dom::parser parser;
    return parser;
}

/// The header and claims are JSON objects; the object lives until the parser's next use.
std::optional<simdjson::dom::object> as_object(const std::string& json) {
    simdjson::dom::object object;
    if (json_parser().parse(json).get(object) != simdjson::SUCCESS) return std::nullopt;
    return object;
}

std::optional<std::string_view> text_member(const simdjson::dom::object& object, std::string_view name) {
    std::string_view text;
    if (object.at_key(name).get(text) != simdjson::SUCCESS) return std::nullopt;
    return text;
}

/// A NumericDate in whole seconds (fractions are cut off); nothing when absent, not a number, or out of any
/// reason.
std::optional<JwtVerifier::Seconds> date_member(const simdjson::dom::object& object, std::string_view name) {
    double value = 0;
    if (object.at_key(name).get(value) != simdjson::SUCCESS || !(std::abs(value) < 1e12)) return std::nullopt;
    return JwtVerifier::Seconds{std::chrono::seconds{static_cast<std::int64_t>(std::floor(value))}};
}

bool names_audience(const simdjson::dom::object& claims, const std::vector<std::string>& accepted) {
    const auto is_accepted = [&](std::string_view text) { return std::ranges::count(accepted, text) > 0; };
    if (const auto text = text_member(claims, "aud")) return is_accepted(*text);
    simdjson::dom::array list;
    if (claims.at_key("aud").get(list) != simdjson::SUCCESS) return false;
    return std::any_of(list.begin(), list.end(), [&](simdjson::dom::element element) {
        std::string_view text;
        return element.get(text) == simdjson::SUCCESS && is_accepted(text);
    });
}

/// Why the header is not one to go on with; empty when it is fine.
std::string header_fault(const std::string& json) {
    const auto header = as_object(json);
    if (!header) return "The bearer token's header is not a JSON object.";
    if (text_member(*header, "alg") != "RS256") return "The bearer token is not signed with RS256.";
    const auto type = header->at_key("typ");
    std::string_view name;
    if (type.error() == simdjson::SUCCESS &&
        (type.get(name) != simdjson::SUCCESS || !same_ignoring_case(name, "JWT"))) {
        return "The bearer token is not of the type JWT.";
    }
    if (header->at_key("crit").error() == simdjson::SUCCESS) {
        return "The bearer token demands extensions that are not known here.";
    }
    return {};
}

bool signature_holds(EVP_PKEY* key, std::string_view content, const std::string& signature) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    return context != nullptr &&
           EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), reinterpret_cast<const unsigned char*>(content.data()),
                            content.size()) == 1;
}

/// Why a token is not valid at this time; empty when it is.
std::string time_fault(JwtVerifier::Seconds begins, JwtVerifier::Seconds expires, JwtVerifier::Seconds now) {
    if (expires + JwtVerifier::skew <= now) return "The bearer token has expired.";
    if (begins > now + JwtVerifier::skew) return "The bearer token is not valid yet.";
    return {};
}

}  // namespace

void JwtVerifier::KeyFree::operator()(EVP_PKEY* key) const {
    EVP_PKEY_free(key);
}

JwtVerifier::JwtVerifier(const std::vector<Admin>& admins, std::string_view audience) {
    for (const auto& admin : admins) {
        const std::unique_ptr<BIO, decltype(&BIO_free)> pem(
            BIO_new_mem_buf(admin.public_key.data(), static_cast<int>(admin.public_key.size())), BIO_free);
        EVP_PKEY* key = PEM_read_bio_PUBKEY(pem.get(), nullptr, nullptr, nullptr);
        if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
            EVP_PKEY_free(key);
            throw std::invalid_argument("the public key of administrator " + admin.access_id +
                                        " is not an RSA key in PEM");
        }
        keys_.push_back({admin, std::unique_ptr<EVP_PKEY, KeyFree>(key)});
    }
    // Key files exist with and without the version in their URL; both name this tenant.
    audiences_.emplace_back(audience);
    if (audience.ends_with("/v1")) audiences_.emplace_back(audience.substr(0, audience.size() - 3));
}

JwtVerifier::~JwtVerifier() = default;

auto JwtVerifier::verify(std::string_view token, Seconds now) -> checked<const Admin*> {
    if (const auto it = verified_.find(token); it != verified_.end()) {
        if (auto fault = time_fault(it->second.begins, it->second.expires, now); !fault.empty()) {
            return TokenRefused{std::move(fault)};
        }
        return it->second.admin;
    }
    const auto verified = verify_fully(token);
    if (!verified) return verified.error();
    if (auto fault = time_fault(verified->begins, verified->expires, now); !fault.empty()) {
        return TokenRefused{std::move(fault)};
    }
    remember(token, *verified, now);
    return verified->admin;
}

auto JwtVerifier::verify_fully(std::string_view token) const -> checked<Verified> {
    const auto first = token.find('.');
    const auto last = token.rfind('.');
    if (token.size() > longest_token || first == std::string_view::npos || first == last ||
        token.find('.', first + 1) != last) {
        return TokenRefused{"The bearer token is not a JSON web token of three parts."};
    }
    const auto header = base64url_decoded(token.substr(0, first));
    const auto claims = base64url_decoded(token.substr(first + 1, last - first - 1));
    const auto signature = base64url_decoded(token.substr(last + 1));
    if (!header || !claims || !signature) return TokenRefused{"The bearer token is not base64url."};
    if (auto fault = header_fault(*header); !fault.empty()) return TokenRefused{std::move(fault)};
    const Key* key = nullptr;
    const auto verified = read_claims(*claims, key);
    if (!verified) return verified;
    if (!signature_holds(key->key.get(), token.substr(0, last), *signature)) {
        return TokenRefused{"The bearer token's signature does not match the key of its subject."};
    }
    return verified;
}

auto JwtVerifier::read_claims(std::string_view json, const Key*& key) const -> checked<Verified> {
    const std::string text(json);
    const auto claims = as_object(text);
    if (!claims) return TokenRefused{"The bearer token's claims are not a JSON object."};
    const auto subject = text_member(*claims, "sub");
    const auto known = std::ranges::find_if(
        keys_, [&](const Key& candidate) { return subject && candidate.admin.access_id == *subject; });
    if (known == keys_.end())
        return TokenRefused{"The bearer token's subject is no administrator's access ID."};
    if (!names_audience(*claims, audiences_)) {
        return TokenRefused{"The bearer token's audience is not this tenant."};
    }
    const auto issued = date_member(*claims, "iat");
    const auto expires = date_member(*claims, "exp");
    if (!issued || !expires) return TokenRefused{"The bearer token must say when it was issued and expires."};
    if (*expires <= *issued || *expires - *issued > longest_life) {
        return TokenRefused{"The bearer token must expire within one hour of its issue."};
    }
    key = &*known;
    const auto not_before = date_member(*claims, "nbf").value_or(*issued);
    return Verified{.admin = &known->admin, .begins = std::max(*issued, not_before), .expires = *expires};
}

void JwtVerifier::remember(std::string_view token, const Verified& verified, Seconds now) {
    if (verified_.size() >= most_remembered) {
        std::erase_if(verified_, [&](const auto& entry) { return entry.second.expires + skew <= now; });
        if (verified_.size() >= most_remembered) verified_.clear();
    }
    verified_.emplace(token, verified);
}

}  // namespace tenant
