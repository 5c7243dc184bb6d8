// Reads a JWT the way a server does: splits, decodes, verifies. Written apart from what signs it.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace muster::test {

inline std::string decode_base64url(std::string_view text) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    unsigned bits = 0;
    int held = 0;
    for (const char c : text) {
        const auto value = alphabet.find(c);
        if (value == alphabet.npos) throw std::runtime_error("not base64url");
        bits = (bits << 6 | static_cast<unsigned>(value)) & 0xFFFF;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out += static_cast<char>(bits >> held & 0xFF);
    }
    return out;
}

struct read_jwt {
    std::string header;
    std::string claims;
    bool genuine = false;  ///< signed RS256 by the key
};

inline read_jwt open_jwt(std::string_view token, EVP_PKEY& key) {
    const auto first = token.find('.');
    const auto second = token.find('.', first + 1);
    if (second == token.npos || token.find('.', second + 1) != token.npos)
        throw std::runtime_error("not a JWT");
    const std::string signature = decode_base64url(token.substr(second + 1));
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, &key);
    const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
    const auto* signed_text = reinterpret_cast<const unsigned char*>(token.data());
    return {decode_base64url(token.substr(0, first)),
            decode_base64url(token.substr(first + 1, second - first - 1)),
            EVP_DigestVerify(context.get(), bytes, signature.size(), signed_text, second) == 1};
}

}  // namespace muster::test
