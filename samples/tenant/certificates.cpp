// The extensions are those a strict verifier asks for (RFC 5280): key identifiers, key usage, and who may
// sign.
#include "samples/tenant/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace tenant {
namespace {

template <auto Free>
struct Deleter {
    template <typename Value>
    void operator()(Value* value) const {
        Free(value);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;

constexpr long day = 24L * 60 * 60;

void require(bool ok, const char* what) {
    if (ok) return;
    std::array<char, 256> reason{};
    ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
    throw std::runtime_error(std::string("cannot ") + what + ": " + reason.data());
}

template <typename Write>
std::string pem(const char* what, Write write) {
    const Bio out(BIO_new(BIO_s_mem()));
    require(out != nullptr && write(out.get()) == 1, what);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string certificate_pem(X509* certificate) {
    return pem("write a certificate", [&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

/// A name, validity, public key and a random serial number.
Certificate begin_certificate(EVP_PKEY* key, const char* name) {
    Certificate made(X509_new());
    require(made != nullptr, "make a certificate");
    std::array<unsigned char, 16> serial{};
    require(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1, "draw a serial number");
    serial[0] &= 0x7F;
    const std::unique_ptr<BIGNUM, Deleter<BN_free>> number(
        BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
    auto* subject = X509_get_subject_name(made.get());
    require(X509_set_version(made.get(), X509_VERSION_3) == 1 &&
                BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get())) != nullptr &&
                X509_gmtime_adj(X509_getm_notBefore(made.get()), -day) != nullptr &&
                X509_gmtime_adj(X509_getm_notAfter(made.get()), 3650 * day) != nullptr &&
                X509_set_pubkey(made.get(), key) == 1 &&
                X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                                           reinterpret_cast<const unsigned char*>("Muster sandbox tenant"),
                                           -1, -1, 0) == 1 &&
                X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                           reinterpret_cast<const unsigned char*>(name), -1, -1, 0) == 1,
            "fill in a certificate");
    return made;
}

void add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>> extension(
        X509V3_EXT_conf_nid(nullptr, &context, kind, value));
    require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, "add an extension");
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
    require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
                X509_sign(certificate, key, EVP_sha256()) > 0,
            "sign a certificate");
}

}  // namespace

ServerIdentity make_server_identity() {
    const Key ca_key(EVP_EC_gen("P-256"));
    const Key key(EVP_EC_gen("P-256"));
    require(ca_key != nullptr && key != nullptr, "make a TLS key");

    const auto ca = begin_certificate(ca_key.get(), "Sandbox CA");
    require(X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) == 1, "name the CA");
    add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
    add_extension(ca.get(), ca.get(), NID_authority_key_identifier, "keyid:always");
    sign(ca.get(), ca.get(), ca_key.get());

    const auto server = begin_certificate(key.get(), "localhost");
    add_extension(server.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(server.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(server.get(), ca.get(), NID_ext_key_usage, "serverAuth");
    add_extension(server.get(), ca.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    add_extension(server.get(), ca.get(), NID_subject_key_identifier, "hash");
    add_extension(server.get(), ca.get(), NID_authority_key_identifier, "keyid:always");
    sign(server.get(), ca.get(), ca_key.get());

    auto key_pem = pem("write a key", [&](BIO* out) {
        return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    return {.ca_certificate = certificate_pem(ca.get()),
            .certificate = certificate_pem(server.get()),
            .key = std::move(key_pem)};
}

ApiKey make_api_key() {
    const Key key(EVP_RSA_gen(2048));
    require(key != nullptr, "make an API key");
    return {.private_key = pem("write a key",
                               [&](BIO* out) {
                                   return PEM_write_bio_PrivateKey_traditional(out, key.get(), nullptr,
                                                                               nullptr, 0, nullptr, nullptr);
                               }),
            .public_key = pem("write a key", [&](BIO* out) { return PEM_write_bio_PUBKEY(out, key.get()); })};
}

}  // namespace tenant
