// Reads the key file. Everything that can be wrong with it is told here by file and field, before anything is
// sent: a run that dies on its first request because of a pasted half of a key is what this prevents.
// The file's text and the parser's copy of the key are wiped on every way out; no message quotes a value.
#include "io/credentials.hpp"

#include <boost/url/parse.hpp>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <simdjson.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace muster {
namespace {

constexpr std::size_t largest_key_file = 64 * 1024;  // real ones have 2 to 4 KiB
constexpr int smallest_key = 2048;                   // bits; the least that RS256 is accepted with today

error broken(const std::string& path, std::string_view what) {
    return {errc::bad_credentials, fmt::format("key file {}: {}", path, what)};
}

/// The text of the key file with the padding that simdjson wants; wiped when it goes.
struct key_text {
    std::array<char, largest_key_file + 1 + simdjson::SIMDJSON_PADDING> bytes{};
    std::size_t size = 0;

    key_text() = default;
    key_text(const key_text&) = delete;
    key_text& operator=(const key_text&) = delete;
    ~key_text() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

/// The parsed key file; its unescaped strings are wiped when it goes.
struct key_document {
    simdjson::dom::document json;

    key_document() = default;
    key_document(const key_document&) = delete;
    key_document& operator=(const key_document&) = delete;
    ~key_document() {
        // simdjson allots this much for strings, and some padding (dom::document::allocate).
        if (json.string_buf) OPENSSL_cleanse(json.string_buf.get(), 5 * json.capacity() / 3);
    }
};

struct file_descriptor {
    int value;

    explicit file_descriptor(int fd) : value(fd) {}
    file_descriptor(const file_descriptor&) = delete;
    file_descriptor& operator=(const file_descriptor&) = delete;
    ~file_descriptor() {
        if (value >= 0) ::close(value);
    }
};

/// A pipe is fine too (`--credentials <(vault …)`), so the size is known only at the end.
result<void> read_text(const std::string& path, key_text& into, std::string& warning) {
    const file_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (file.value < 0 || ::fstat(file.value, &status) != 0)
        return broken(path, fmt::format("cannot be opened: {}", std::strerror(errno)));
    if (S_ISDIR(status.st_mode)) return broken(path, "is a directory");
    if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRGRP | S_IROTH)) != 0)
        warning = fmt::format("key file {} can be read by other users (mode {:04o}); run: chmod 600 {}", path,
                              status.st_mode & 07777, path);
    while (into.size <= largest_key_file) {
        const ssize_t got =
            ::read(file.value, into.bytes.data() + into.size, largest_key_file + 1 - into.size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return broken(path, fmt::format("cannot be read: {}", std::strerror(errno)));
        if (got == 0) break;
        into.size += static_cast<std::size_t>(got);
    }
    if (into.size > largest_key_file) return broken(path, "is larger than 64 KiB, which no key file is");
    if (into.size == 0) return broken(path, "is empty");
    return {};
}

result<std::string_view> text_field(const std::string& path, const simdjson::dom::object& from,
                                    const char* name) {
    simdjson::dom::element value;
    if (from[name].get(value) != simdjson::SUCCESS)
        return broken(path, fmt::format("has no field \"{}\"", name));
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS)
        return broken(path, fmt::format("field \"{}\" is not a string", name));
    if (text.empty()) return broken(path, fmt::format("field \"{}\" is empty", name));
    return text;
}

struct bio_deleter {
    void operator()(BIO* bio) const noexcept { BIO_free_all(bio); }
};
struct digest_deleter {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};

/// A damaged key may still parse; what it signs then does not verify.
bool signs_and_verifies(EVP_PKEY& key) {
    constexpr std::array<unsigned char, 6> probe{'m', 'u', 's', 't', 'e', 'r'};
    std::array<unsigned char, 2048> signature{};
    std::size_t length = signature.size();
    const std::unique_ptr<EVP_MD_CTX, digest_deleter> signing(EVP_MD_CTX_new());
    const std::unique_ptr<EVP_MD_CTX, digest_deleter> verifying(EVP_MD_CTX_new());
    return signing && verifying &&
           EVP_DigestSignInit(signing.get(), nullptr, EVP_sha256(), nullptr, &key) == 1 &&
           EVP_DigestSign(signing.get(), signature.data(), &length, probe.data(), probe.size()) == 1 &&
           EVP_DigestVerifyInit(verifying.get(), nullptr, EVP_sha256(), nullptr, &key) == 1 &&
           EVP_DigestVerify(verifying.get(), signature.data(), length, probe.data(), probe.size()) == 1;
}

int refuse_passphrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

result<std::shared_ptr<EVP_PKEY>> read_key(const std::string& path, std::string_view pem) {
    const std::unique_ptr<BIO, bio_deleter> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    bool encrypted = false;
    std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PrivateKey(text.get(), nullptr, refuse_passphrase, &encrypted),
                                  EVP_PKEY_free);
    ERR_clear_error();
    if (encrypted) return broken(path, "the key in field \"accessKey\" is encrypted; Muster needs it plain");
    if (!key)
        return broken(path,
                      "field \"accessKey\" is not a private key in PEM; was a part of it lost in copying?");
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA)
        return broken(path, "the key in field \"accessKey\" is not an RSA key");
    const int bits = EVP_PKEY_get_bits(key.get());
    if (bits < smallest_key)
        return broken(path, fmt::format("the key in field \"accessKey\" has {} bits; it must have {} or more",
                                        bits, smallest_key));
    const bool usable = bits <= 16'384 && signs_and_verifies(*key);
    ERR_clear_error();
    if (!usable) return broken(path, "the key in field \"accessKey\" is damaged: it cannot sign");
    return key;
}

result<void> check_fields(const credentials& read) {
    for (const char c : read.access_id)
        if (static_cast<unsigned char>(c) < 0x21)
            return broken(read.path, "field \"accessID\" holds a space or a control character");
    const result<endpoint> service = service_endpoint(read, {});
    if (!service)
        return broken(read.path,
                      "field \"adminRestApiUrl\" is not an https:// address such as "
                      "https://acme.access.securid.com/AdminInterface/restapi/v1");
    return {};
}

result<credentials> parse(const std::string& path, const key_text& text) {
    std::string_view json(text.bytes.data(), text.size);
    std::size_t skipped = 0;
    if (json.starts_with("\xEF\xBB\xBF")) skipped = 3;  // an editor on Windows adds it
    json.remove_prefix(skipped);
    if (json.starts_with("-----BEGIN"))
        return broken(path, "is a bare PEM key; give the whole JSON key file that was downloaded");
    simdjson::dom::parser parser;
    key_document document;
    simdjson::dom::object fields;
    simdjson::dom::element root;
    if (parser.parse_into_document(document.json, json.data(), json.size(), false).get(root) !=
        simdjson::SUCCESS)
        return broken(path, "is not valid JSON; is it complete?");
    if (root.get(fields) != simdjson::SUCCESS) return broken(path, "is not a JSON object");

    const result<std::string_view> access_id = text_field(path, fields, "accessID");
    if (!access_id) return access_id.error();
    const result<std::string_view> access_key = text_field(path, fields, "accessKey");
    if (!access_key) return access_key.error();
    const result<std::string_view> api_url = text_field(path, fields, "adminRestApiUrl");
    if (!api_url) return api_url.error();
    result<std::shared_ptr<EVP_PKEY>> key = read_key(path, *access_key);
    if (!key) return key.error();

    credentials read{path, std::string(*access_id), std::string(*api_url), std::move(*key), {}};
    const result<void> checked = check_fields(read);
    if (!checked) return checked.error();
    return read;
}

}  // namespace

result<credentials> read_credentials(const std::string& path) {
    const auto text = std::make_unique<key_text>();
    std::string warning;
    const result<void> reading = read_text(path, *text, warning);
    if (!reading) return reading.error();
    result<credentials> read = parse(path, *text);
    if (read) read->warning = std::move(warning);
    return read;
}

}  // namespace muster
