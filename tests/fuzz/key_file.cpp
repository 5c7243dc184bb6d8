// The key file: `@KEY@` in the input stands for an RSA key's PEM, as JSON has it. A broken file is a sentence, and never
// one that quotes a part of the key; a good one signs a token that verifies.
#include "engine/json_text.hpp"
#include "io/credentials.hpp"
#include "io/jwt.hpp"
#include "tests/fuzz/rows_of_records.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/jwt_reader.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

using namespace muster;
using namespace muster::fuzz;

namespace {

struct sample_key {
    std::shared_ptr<EVP_PKEY> key = test::make_rsa_key(2048);
    std::string pem = test::to_pkcs1(*key);
    std::string in_json;
    sample_key() {
        append_json_string(in_json, pem);
        in_json = in_json.substr(1, in_json.size() - 2);
    }
};

const sample_key& sample() {
    static const sample_key made;
    return made;
}

std::string with_key(std::string_view input) {
    std::string text(input);
    const auto at = text.find("@KEY@");
    if (at != std::string::npos) text.replace(at, 5, sample().in_json);
    return text;
}

/// A file without a place on a disk.
const std::string& path_of(std::string_view content) {
    static const int file = ::memfd_create("key", 0);
    static const std::string path = fmt::format("/proc/self/fd/{}", file);
    const bool written = ::ftruncate(file, 0) == 0 && ::pwrite(file, content.data(), content.size(), 0) ==
                                                          static_cast<ssize_t>(content.size());
    require(written, "the file can be written");
    return path;
}

bool quotes_key(std::string_view message) {
    constexpr std::size_t telling = 12;
    for (std::size_t i = 40; i + telling < sample().pem.size(); ++i)
        if (message.find(std::string_view(sample().pem).substr(i, telling)) != std::string_view::npos) return true;
    return false;
}

}  // namespace

FUZZ_TARGET(key_file) {
    const auto read = read_credentials(path_of(with_key(input)));
    if (!read) {
        require(read.error().is(errc::bad_credentials), "a broken file is told as such");
        require(!read.error().message.empty() && !quotes_key(read.error().message), "no message quotes the key");
        return;
    }
    require(service_endpoint(*read, {}).has_value(), "a good file says where the service is");
    const auto other = service_endpoint(*read, std::string(input.substr(0, input.find('\n'))));
    if (other) (void)find_proxy(other->host, *other);
    const jwt_claims claims{read->access_id, read->api_url, {}, {}};
    const auto token = sign_jwt(*read->key, claims);
    require(token.has_value(), "a good file's key signs");
    const auto opened = test::open_jwt(*token, *sample().key);
    require(opened.genuine, "the signature is the key's");
    require(is_json_object(opened.claims), "the claims are JSON");
}
