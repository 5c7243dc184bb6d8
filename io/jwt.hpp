// JSON Web Tokens as the service takes them (RS256, RFC 7515 and 7519), and the two base64 alphabets.
// Signing is deterministic: times come in as arguments, so that tests need no clock.
#pragma once

#include "engine/error.hpp"

#include <openssl/types.h>

#include <chrono>
#include <string>
#include <string_view>

namespace muster {

struct jwt_claims {
    std::string_view subject;   ///< `sub`: the accessID of the key file
    std::string_view audience;  ///< `aud`: adminRestApiUrl, exactly as written in the key file
    std::chrono::sys_seconds issued_at;
    std::chrono::sys_seconds expires_at;
};

/// Signs a token with an RSA key. The result is a secret. Fails (bad_credentials) when the key cannot sign.
result<std::string> sign_jwt(EVP_PKEY& key, const jwt_claims& claims);

/// RFC 4648 section 5 without padding: what JWTs are made of.
std::string base64url(std::string_view bytes);

/// RFC 4648 section 4 with padding: what HTTP Basic authorization is made of.
std::string base64(std::string_view bytes);

}  // namespace muster
