// The key file in every state of disrepair. Two rules hold throughout: a broken file is a sentence and never
// a crash, and the sentence never holds a part of the key.
#include "io/credentials.hpp"

#include "engine/json_text.hpp"
#include "io/jwt.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/jwt_reader.hpp"
#include "tests/support/scratch_directory.hpp"

#include <doctest/doctest.h>
#include <openssl/evp.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace muster {
namespace {

constexpr std::string_view url = "https://acme.example/AdminInterface/restapi/v1";

const std::string& rsa_pem() {
    static const std::string pem = test::to_pkcs1(*test::make_rsa_key(2048));
    return pem;
}

std::string quoted(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string key_file(std::string_view pem, std::string_view api_url = url) {
    return R"({"customerName":"Acme","accessID":"f6a5","description":"d","accessKey":)" + quoted(pem) +
           R"(,"adminRestApiUrl":)" + quoted(api_url) + "}";
}

std::string failure_of(const test::scratch_directory& dir, std::string_view text) {
    const result<credentials> read = read_credentials(dir.write("broken.key", text));
    REQUIRE(read.has_error());
    CHECK(read.error().is(errc::bad_credentials));
    CHECK(read.error().message.find("broken.key: ") != std::string::npos);
    CHECK(read.error().message.find("MII") == std::string::npos);
    return read.error().message;
}

bool holds(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("credentials: a key file is read, with its key in either PEM form") {
    const test::scratch_directory dir;
    const auto key = test::make_rsa_key(2048);
    for (const std::string& pem : {test::to_pkcs1(*key), test::to_pkcs8(*key)}) {
        const result<credentials> read = read_credentials(dir.write("a.key", key_file(pem)));
        REQUIRE(read.has_value());
        CHECK(read->access_id == "f6a5");
        CHECK(read->api_url == url);
        CHECK(read->warning.empty());
        CHECK(EVP_PKEY_eq(read->key.get(), key.get()) == 1);
    }
    const result<credentials> marked =
        read_credentials(dir.write("b.key", "\xEF\xBB\xBF" + key_file(rsa_pem())));
    CHECK(marked.has_value());
}

TEST_CASE("credentials: a file that others can read is used, with a warning") {
    const test::scratch_directory dir;
    const std::string path = dir.write("open.key", key_file(rsa_pem()));
    for (const mode_t mode : {0644U, 0640U, 0604U}) {
        REQUIRE(::chmod(path.c_str(), mode) == 0);
        const result<credentials> read = read_credentials(path);
        REQUIRE(read.has_value());
        CHECK(holds(read->warning, "chmod 600"));
    }
}

TEST_CASE("credentials: what is wrong is named") {
    const test::scratch_directory dir;
    const result<credentials> missing = read_credentials(dir / "none.key");
    REQUIRE(missing.has_error());
    CHECK(holds(missing.error().message, "No such file"));
    const result<credentials> directory = read_credentials(dir / ".");
    REQUIRE(directory.has_error());
    CHECK(holds(directory.error().message, "directory"));

    CHECK(holds(failure_of(dir, ""), "empty"));
    CHECK(holds(failure_of(dir, std::string(65 * 1024, ' ')), "larger than 64 KiB"));
    CHECK(holds(failure_of(dir, "[]"), "not a JSON object"));
    CHECK(holds(failure_of(dir, "{"), "not valid JSON"));
    CHECK(holds(failure_of(dir, rsa_pem()), "bare PEM key"));
    CHECK(holds(failure_of(dir, key_file("hello")), "accessKey"));
    CHECK(holds(failure_of(dir, key_file(rsa_pem().substr(0, 900))), "not a private key"));
    CHECK(holds(failure_of(dir, key_file(test::to_pkcs8(*test::make_ec_key()))), "not an RSA key"));
    CHECK(holds(failure_of(dir, key_file(test::to_pkcs8(*test::make_rsa_key(1024)))), "1024 bits"));
    CHECK(holds(failure_of(dir, key_file(rsa_pem(), "http://acme.example/v1")), "adminRestApiUrl"));
    CHECK(holds(failure_of(dir, key_file(rsa_pem(), "acme")), "adminRestApiUrl"));
    const std::string encrypted =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    CHECK(holds(failure_of(dir, key_file(encrypted)), "encrypted"));
}

TEST_CASE("credentials: each field is needed, and must be a string that is not empty") {
    const test::scratch_directory dir;
    for (const std::string field : {"accessID", "accessKey", "adminRestApiUrl"}) {
        std::string renamed = key_file(rsa_pem());
        renamed[renamed.find(field)] = 'x';
        CHECK(holds(failure_of(dir, renamed), "has no field \"" + field + "\""));
        for (const std::string value : {"17", "null", "[\"a\"]", "{}", "true"}) {
            std::string typed = key_file(rsa_pem());
            const auto start = typed.find(field) + field.size() + 2;
            typed.replace(start, typed.find('"', start + 1) + 1 - start, value);
            CHECK(holds(failure_of(dir, typed), field + "\" is not a string"));
        }
        std::string blank = key_file(rsa_pem());
        const auto start = blank.find(field) + field.size() + 2;
        blank.replace(start, blank.find('"', start + 1) + 1 - start, "\"\"");
        CHECK(holds(failure_of(dir, blank), field + "\" is empty"));
    }
}

TEST_CASE("credentials: a file cut at any byte is refused") {
    const test::scratch_directory dir;
    const std::string whole = key_file(rsa_pem());
    const std::string path = dir.write("cut.key", whole);
    for (std::size_t size = whole.size(); size-- > 0;) {
        std::filesystem::resize_file(path, size);
        REQUIRE_MESSAGE(read_credentials(path).has_error(), "cut at ", size);
    }
}

TEST_CASE("credentials: a key cut at any line is refused") {
    const test::scratch_directory dir;
    const std::string& pem = rsa_pem();
    for (std::size_t end = pem.find('\n'); end + 1 < pem.size(); end = pem.find('\n', end + 1))
        CHECK(holds(failure_of(dir, key_file(pem.substr(0, end))), "accessKey"));
}

TEST_CASE("credentials: a key with a wrong character is refused, or signs what the right one signs") {
    // A key says most things twice: where the damaged half is not needed, the signature is still right.
    const test::scratch_directory dir;
    const std::string& pem = rsa_pem();
    const auto right = read_credentials(dir.write("right.key", key_file(pem)));
    REQUIRE(right.has_value());
    int refused = 0;
    for (std::size_t at = 40; at + 40 < pem.size(); at += 41) {
        std::string changed = pem;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        const auto read = read_credentials(dir.write("changed.key", key_file(changed)));
        refused += read.has_error() ? 1 : 0;
        if (read.has_error()) continue;
        const auto token = sign_jwt(*read->key, {"a", "b", {}, {}});
        REQUIRE(token.has_value());
        CHECK_MESSAGE(test::open_jwt(*token, *right->key).genuine, "changed at ", at);
    }
    CHECK(refused > 0);
}

}  // namespace muster
