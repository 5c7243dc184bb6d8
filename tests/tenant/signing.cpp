#include "tests/tenant/signing.hpp"

#include "samples/tenant/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

namespace tenant_test {
namespace {

std::string content_of(std::string_view header, std::string_view claims) {
    return base64url(header) + "." + base64url(claims);
}

TestKey make_key() {
    auto made = tenant::make_api_key();
    return {made.private_key, made.public_key};
}

}  // namespace

std::string base64url(std::string_view bytes) {
    static constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t held = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits = bits << 8 | (k < held ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k <= held; ++k) out += alphabet[bits >> (18 - 6 * k) & 63];
    }
    return out;
}

std::string signed_token(std::string_view header, std::string_view claims, const std::string& private_key) {
    const auto content = content_of(header, claims);
    const std::unique_ptr<BIO, decltype(&BIO_free)> pem(
        BIO_new_mem_buf(private_key.data(), static_cast<int>(private_key.size())), BIO_free);
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        PEM_read_bio_PrivateKey(pem.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::vector<unsigned char> signature(1024);
    std::size_t size = signature.size();
    if (EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
        EVP_DigestSign(context.get(), signature.data(), &size,
                       reinterpret_cast<const unsigned char*>(content.data()), content.size()) != 1) {
        throw std::runtime_error("cannot sign");
    }
    return content + "." + base64url({reinterpret_cast<const char*>(signature.data()), size});
}

std::string hmac_token(std::string_view header, std::string_view claims, std::string_view secret) {
    const auto content = content_of(header, claims);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest, &size);
    return content + "." + base64url({reinterpret_cast<const char*>(digest), size});
}

const TestKey& first_key() {
    static const TestKey key = make_key();
    return key;
}

const TestKey& second_key() {
    static const TestKey key = make_key();
    return key;
}

}  // namespace tenant_test
