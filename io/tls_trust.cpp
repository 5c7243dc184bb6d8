// The details come from the certificate that OpenSSL objects to, while the verification runs: afterwards only
// a number is left. What a certificate says is foreign text: it is cut, and unprintable bytes are replaced.
#include "io/tls_trust.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>
#include <string_view>

namespace muster {
namespace {

constexpr std::size_t longest_detail = 200;

std::string printable(std::string_view text) {
    std::string out(text.substr(0, longest_detail));
    for (char& c : out)
        if (c < 0x20 || c > 0x7e) c = '?';
    if (text.size() > longest_detail) out += "...";
    return out;
}

std::string date(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unreadable date";
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min);
}

std::string issuer(X509& certificate) {
    std::array<char, 512> name{};
    X509_NAME_oneline(X509_get_issuer_name(&certificate), name.data(), static_cast<int>(name.size()));
    return printable(name.data());
}

std::string_view view_of(const ASN1_STRING* text) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
            static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
    const auto* data = ASN1_STRING_get0_data(bytes);
    if (ASN1_STRING_length(bytes) == 4) return fmt::format("{}.{}.{}.{}", data[0], data[1], data[2], data[3]);
    return "an IPv6 address";
}

/// The names that the certificate is for.
std::string names(X509& certificate) {
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
        GENERAL_NAMES_free);
    std::string out;
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
        if (!out.empty()) out += ", ";
        if (name->type == GEN_DNS)
            out += view_of(name->d.dNSName);
        else
            out += address_of(name->d.iPAddress);
    }
    return out.empty() ? "no host at all" : printable(out);
}

std::string detail_of(int code, X509& certificate) {
    switch (code) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "it was valid until " + date(X509_get0_notAfter(&certificate));
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "it is valid from " + date(X509_get0_notBefore(&certificate));
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH: return "it is for " + names(certificate);
        default: return "its issuer is " + issuer(certificate);
    }
}

int note_problem(int accepted, X509_STORE_CTX* context) {
    if (accepted == 1) return 1;
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* into = static_cast<trust_problem*>(SSL_get_app_data(ssl));
    if (into->code == X509_V_OK) {
        into->code = X509_STORE_CTX_get_error(context);
        into->depth = X509_STORE_CTX_get_error_depth(context);
        if (X509* certificate = X509_STORE_CTX_get_current_cert(context))
            into->detail = detail_of(into->code, *certificate);
    }
    return 0;
}

}  // namespace

void verify_chain(SSL& ssl, trust_problem& into) {
    SSL_set_app_data(&ssl, &into);
    SSL_set_verify(&ssl, SSL_VERIFY_PEER, note_problem);
}

bool verify_host(SSL& ssl, const std::string& host) {
    boost::system::error_code not_an_address;
    boost::asio::ip::make_address(host, not_an_address);
    if (!not_an_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl), host.c_str()) == 1;
    SSL_set_hostflags(&ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(&ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(&ssl, host.c_str()) == 1;
}

std::string explain(const trust_problem& problem, const std::string& host, const std::string& where) {
    const std::string_view whose = problem.depth == 0
                                       ? "the server's certificate"
                                       : "a CA certificate that the server's certificate rests on";
    const auto sentence = [&](std::string_view objection, std::string_view advice) {
        return fmt::format("{} {} ({}): {}; {}", whose, objection, where, problem.detail, advice);
    };
    switch (problem.code) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return sentence("has expired", "check the server, or the clock of this machine");
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return sentence("is not valid yet", "check the clock of this machine, or the server");
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return sentence(fmt::format("is not for {}", host),
                            "check the address in the key file or --base-url");
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return sentence("is self-signed", "if it is the right one, name it with --ca-file");
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED:
            return fmt::format(
                "the server's certificate is from an unknown CA ({}): {}; name its CA with --ca-file", where,
                problem.detail);
        case X509_V_ERR_CERT_REVOKED: return sentence("has been revoked", "ask whoever runs the server");
        default:
            return sentence(fmt::format("is not acceptable: {}", X509_verify_cert_error_string(problem.code)),
                            "check the server's certificate");
    }
}

}  // namespace muster
