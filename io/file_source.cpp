// See the header. A digest that cannot be computed (OpenSSL without SHA-256) is a broken installation, not a
// property of the file: it throws.
#include "io/file_source.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace muster {
namespace {

void require(bool ok) {
    if (!ok) throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

}  // namespace

void file_source::free_digest::operator()(EVP_MD_CTX* context) const noexcept {
    EVP_MD_CTX_free(context);
}

file_source::file_source(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), digest_(EVP_MD_CTX_new()) {
    require(digest_ != nullptr && EVP_DigestInit_ex(digest_.get(), EVP_sha256(), nullptr) == 1);
}

result<std::size_t> file_source::read(std::span<char> to) {
    ssize_t got = 0;
    do {
        got = ::pread(fd_, to.data(), to.size(), static_cast<off_t>(offset_));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return error(errc::bad_job, fmt::format("{}: cannot be read at byte {}: {}", name_, offset_,
                                                std::generic_category().message(errno)));
    }
    const auto bytes = static_cast<std::size_t>(got);
    require(EVP_DigestUpdate(digest_.get(), to.data(), bytes) == 1);
    offset_ += bytes;
    return bytes;
}

std::string file_source::sha256() const {
    const std::unique_ptr<EVP_MD_CTX, free_digest> copy(EVP_MD_CTX_new());
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned length = 0;
    require(copy != nullptr && EVP_MD_CTX_copy_ex(copy.get(), digest_.get()) == 1);
    require(EVP_DigestFinal_ex(copy.get(), bytes.data(), &length) == 1);
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
}

}  // namespace muster
