// Makes the keys and certificates of a new tenant: a CA, a server certificate it signs, and API keys.
//
// Real keys from the system's randomness, never from the tenant's seed. The TLS keys are P-256, for cheap
// handshakes; API keys are RSA 2048, as the service's are. Failures of OpenSSL throw std::runtime_error.
#pragma once

#include <string>

namespace tenant {

/// PEM texts.
struct ServerIdentity {
    std::string ca_certificate;
    std::string certificate;
    std::string key;
};

/// A fresh CA, whose key is forgotten, and a certificate for `localhost`, 127.0.0.1 and ::1, valid for ten
/// years.
[[nodiscard]] ServerIdentity make_server_identity();

/// PEM texts: the private half as PKCS#1, as key files hold it, and the public half as SubjectPublicKeyInfo.
struct ApiKey {
    std::string private_key;
    std::string public_key;
};

[[nodiscard]] ApiKey make_api_key();

}  // namespace tenant
