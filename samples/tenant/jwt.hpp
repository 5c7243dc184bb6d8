// Decides whether a bearer token is one that an administrator's key signed for this tenant, now.
//
// RS256 and nothing else: the algorithm is the verifier's choice, never the token's. A signature check costs
// a few dozen microseconds and one token serves thousands of requests, so verified ones are remembered, by
// their whole text, in a bounded table; their times are checked again at every use.
#pragma once

#include "samples/tenant/model.hpp"

#include <boost/system/result.hpp>
#include <openssl/types.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tenant {

/// Why a bearer token is refused, in plain words.
struct TokenRefused {
    std::string message;
};

class JwtVerifier {
  public:
    using Seconds = std::chrono::sys_seconds;
    /// Clock skew allowed on either side, and the longest life a token may be given.
    static constexpr std::chrono::seconds skew{60};
    static constexpr std::chrono::seconds longest_life{3600};

    /// Takes administrators with public keys in PEM; throws std::invalid_argument for one that is none.
    JwtVerifier(const std::vector<Admin>& admins, std::string_view audience);
    ~JwtVerifier();
    JwtVerifier(const JwtVerifier&) = delete;
    JwtVerifier& operator=(const JwtVerifier&) = delete;

    /// The administrator whose key signed `token`; valid as long as the verifier.
    [[nodiscard]] boost::system::result<const Admin*, TokenRefused> verify(std::string_view token,
                                                                           Seconds now);

  private:
    struct KeyFree {
        void operator()(EVP_PKEY* key) const;
    };
    struct Key {
        Admin admin;
        std::unique_ptr<EVP_PKEY, KeyFree> key;
    };
    struct Verified {
        const Admin* admin = nullptr;
        Seconds begins{};
        Seconds expires{};
    };
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    template <typename Value>
    using checked = boost::system::result<Value, TokenRefused>;

    checked<Verified> verify_fully(std::string_view token) const;
    checked<Verified> read_claims(std::string_view json, const Key*& key) const;
    void remember(std::string_view token, const Verified& verified, Seconds now);

    std::vector<Key> keys_;
    std::vector<std::string> audiences_;
    std::unordered_map<std::string, Verified, TextHash, std::equal_to<>> verified_;
};

}  // namespace tenant
