// Certificates made while a test runs: a CA, servers with every fault that a client must notice, and RSA keys
// for key files. EC keys for TLS, because a test makes dozens of handshakes.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

namespace muster::test {

struct identity {
    std::shared_ptr<X509> certificate;
    std::shared_ptr<EVP_PKEY> key;
};

/// What to put in a certificate; the times are seconds from now.
struct certificate_form {
    std::string name = "localhost";                           ///< common name
    std::string alternatives = "DNS:localhost,IP:127.0.0.1";  ///< as in openssl.cnf; empty for none
    long not_before = -3600;
    long not_after = 86'400;
    bool authority = false;
};

/// Signed by `issuer`, or by itself without one.
identity make_certificate(const certificate_form& form, const identity* issuer = nullptr);
identity make_authority(const std::string& name);

std::string to_pem(const X509& certificate);

/// A fresh RSA key (slow: make one a file).
std::shared_ptr<EVP_PKEY> make_rsa_key(unsigned bits);
std::shared_ptr<EVP_PKEY> make_ec_key();

/// "BEGIN RSA PRIVATE KEY" (PKCS#1) and "BEGIN PRIVATE KEY" (PKCS#8).
std::string to_pkcs1(EVP_PKEY& key);
std::string to_pkcs8(EVP_PKEY& key);

}  // namespace muster::test
