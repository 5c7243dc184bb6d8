// What a client does before it calls: signs bearer tokens. Written from RFC 7515, not from the verifier.
#pragma once

#include <string>
#include <string_view>

namespace tenant_test {

[[nodiscard]] std::string base64url(std::string_view bytes);

/// RS256 over `header.claims`, both base64url encoded here; `private_key` is PEM.
[[nodiscard]] std::string signed_token(std::string_view header, std::string_view claims,
                                       const std::string& private_key);

/// The same with HMAC-SHA256 and `secret` as its key: what an attacker makes of a public key.
[[nodiscard]] std::string hmac_token(std::string_view header, std::string_view claims,
                                     std::string_view secret);

/// One administrator's key pair, made once for the whole test run: keys are slow to make.
struct TestKey {
    std::string private_key;
    std::string public_key;
};
[[nodiscard]] const TestKey& first_key();
[[nodiscard]] const TestKey& second_key();

}  // namespace tenant_test
