#include "io/file_source.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace muster {

file_source::file_source(int fd, std::string name, hashing hashed) : fd_(fd), name_(std::move(name)) {
    if (hashed == hashing::on) digest_.emplace();
}

result<std::size_t> file_source::read(std::span<char> to) {
    if (ended_) return 0;
    ssize_t got = 0;
    do {
        got = ::pread(fd_, to.data(), to.size(), static_cast<off_t>(offset_));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return error(errc::bad_job, fmt::format("{}: cannot be read at byte {}: {}", name_, offset_,
                                                std::generic_category().message(errno)));
    }
    const auto bytes = static_cast<std::size_t>(got);
    if (digest_) digest_->add(to.first(bytes));
    offset_ += bytes;
    ended_ = bytes == 0 && !to.empty();
    return bytes;
}

}  // namespace muster
