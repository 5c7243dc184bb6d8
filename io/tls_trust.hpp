// Why a server's certificate was not accepted, in a sentence that says what to do about it.
// OpenSSL's own texts ("unable to get local issuer certificate") send people to a search engine.
#pragma once

#include <openssl/types.h>

#include <string>

namespace muster {

/// The first objection that the verification of one connection met.
struct trust_problem {
    int code = 0;        ///< X509_V_ERR_…; 0 while there is none
    int depth = 0;       ///< 0: the server's own certificate; above: a CA's
    std::string detail;  ///< dates, issuer or names from the certificate, printable
};

/// Requires a valid chain and notes the first objection in `into`, which must outlive the handshake.
void verify_chain(SSL& ssl, trust_problem& into);

/// Also requires that the certificate is for `host` (a name or an address); sends SNI for names.
/// False when OpenSSL cannot take the name.
bool verify_host(SSL& ssl, const std::string& host);

/// The sentence for the user; `where` is "host:port".
std::string explain(const trust_problem& problem, const std::string& host, const std::string& where);

}  // namespace muster
