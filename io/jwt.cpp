// RS256 is RSASSA-PKCS1-v1_5 over SHA-256; the header is the constant that the service's documentation shows.
// The claims keep the order sub, aud, iat, exp: JSON does not need it, but a token is then the same bytes for
// the same arguments, which makes it easy to compare with one that a person signed by hand.
#include "io/jwt.hpp"

#include "engine/json_text.hpp"

#include <openssl/evp.h>

#include <memory>

namespace muster {
namespace {

struct digest_deleter {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

result<std::string> rs256(EVP_PKEY& key, std::string_view text) {
    const error failed(errc::bad_credentials, "the private key of the key file cannot sign");
    if (EVP_PKEY_get_base_id(&key) != EVP_PKEY_RSA) return failed;
    const std::unique_ptr<EVP_MD_CTX, digest_deleter> context(EVP_MD_CTX_new());
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t length = 0;
    if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, &key) != 1 ||
        EVP_DigestSign(context.get(), nullptr, &length, bytes, text.size()) != 1)
        return failed;
    std::string signature(length, '\0');
    auto* out = reinterpret_cast<unsigned char*>(signature.data());
    if (EVP_DigestSign(context.get(), out, &length, bytes, text.size()) != 1) return failed;
    signature.resize(length);
    return signature;
}

}  // namespace

std::string base64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int length =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

std::string base64url(std::string_view bytes) {
    std::string out = base64(bytes);
    while (!out.empty() && out.back() == '=') out.pop_back();
    for (char& c : out) {
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    return out;
}

result<std::string> sign_jwt(EVP_PKEY& key, const jwt_claims& claims) {
    std::string payload = R"({"sub":)";
    append_json_string(payload, claims.subject);
    payload += R"(,"aud":)";
    append_json_string(payload, claims.audience);
    payload += R"(,"iat":)" + std::to_string(claims.issued_at.time_since_epoch().count());
    payload += R"(,"exp":)" + std::to_string(claims.expires_at.time_since_epoch().count()) + "}";
    std::string token = base64url(R"({"typ":"JWT","alg":"RS256"})");
    token.append(1, '.').append(base64url(payload));
    const result<std::string> signature = rs256(key, token);
    if (!signature) return signature.error();
    token.append(1, '.').append(base64url(*signature));
    return token;
}

}  // namespace muster
