// Plain OpenSSL; every failure is an exception, which ends the test that wanted the certificate.
#include "tests/support/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace muster::test {
namespace {

void require(bool done, const char* what) {
    if (!done) throw std::runtime_error(std::string("certificates: ") + what);
}

void add_extension(X509& certificate, X509& issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    require(extension != nullptr, "extension");
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

template <typename Write>
std::string written(Write write) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> out(BIO_new(BIO_s_mem()), BIO_free_all);
    require(write(out.get()) == 1, "PEM");
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out.get(), &bytes);
    return {bytes, static_cast<std::size_t>(size)};
}

}  // namespace

identity make_certificate(const certificate_form& form, const identity* issuer) {
    static long serial = 1;
    identity made{{X509_new(), X509_free}, make_ec_key()};
    X509& certificate = *made.certificate;
    X509& signer = issuer != nullptr ? *issuer->certificate : certificate;
    X509_set_version(&certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(&certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(&certificate), form.not_before);
    X509_gmtime_adj(X509_getm_notAfter(&certificate), form.not_after);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(&certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(form.name.c_str()), -1, -1, 0);
    X509_set_issuer_name(&certificate, X509_get_subject_name(&signer));
    X509_set_pubkey(&certificate, made.key.get());
    if (form.authority) add_extension(certificate, signer, NID_basic_constraints, "critical,CA:TRUE");
    if (!form.alternatives.empty())
        add_extension(certificate, signer, NID_subject_alt_name, form.alternatives);
    EVP_PKEY* key = issuer != nullptr ? issuer->key.get() : made.key.get();
    require(X509_sign(&certificate, key, EVP_sha256()) > 0, "signing");
    return made;
}

identity make_authority(const std::string& name) {
    certificate_form form;
    form.name = name;
    form.alternatives.clear();
    form.authority = true;
    return make_certificate(form);
}

std::string to_pem(const X509& certificate) {
    return written([&](BIO* out) { return PEM_write_bio_X509(out, &certificate); });
}

std::shared_ptr<EVP_PKEY> make_rsa_key(unsigned bits) {
    return {EVP_RSA_gen(bits), EVP_PKEY_free};
}

std::shared_ptr<EVP_PKEY> make_ec_key() {
    return {EVP_EC_gen("P-256"), EVP_PKEY_free};
}

std::string to_pkcs1(EVP_PKEY& key) {
    return written([&](BIO* out) {
        return PEM_write_bio_PrivateKey_traditional(out, &key, nullptr, nullptr, 0, nullptr, nullptr);
    });
}

std::string to_pkcs8(EVP_PKEY& key) {
    return written(
        [&](BIO* out) { return PEM_write_bio_PrivateKey(out, &key, nullptr, nullptr, 0, nullptr, nullptr); });
}

}  // namespace muster::test
