// Standard input, kept as a file beside the journal: a run must be able to read its job again, even after a
// crash. A spool is there whole and synced, or not at all: half a job that looks like one would be worse than
// none.
#include "io/job_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <poll.h>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace muster {
namespace {

constexpr std::size_t chunk_bytes = 256 * 1024;

std::string reason(int number) {
    return std::generic_category().message(number);
}

/// Tells the format by the first bytes: a brace behind white space (and a byte order mark) or not.
class format_guess {
  public:
    void look(std::string_view bytes) {
        constexpr std::string_view passed_over = "\xEF\xBB\xBF \t\r\n";
        const std::size_t first = bytes.find_first_not_of(passed_over);
        if (format_ || first == std::string_view::npos) return;
        format_ = bytes[first] == '{' ? job_format::jsonl : job_format::csv;
    }
    [[nodiscard]] job_format format() const { return format_.value_or(job_format::csv); }

  private:
    std::optional<job_format> format_;
};

/// The file being written; gone again unless it was kept. It gets its name when it is whole, so that nothing
/// is left of a process that is killed while it reads. (File systems without O_TMPFILE name it first.)
class spool_file {
  public:
    explicit spool_file(const std::string& path) : path_(path) {
        if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            errno = EEXIST;
            return;
        }
        const auto parent = std::filesystem::path(path).parent_path();
        fd_ = ::open(parent.empty() ? "." : parent.c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
        named_ = fd_ < 0;
        if (named_) fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    spool_file(const spool_file&) = delete;
    spool_file& operator=(const spool_file&) = delete;
    ~spool_file() {
        if (fd_ < 0) return;
        ::close(fd_);
        if (named_ && !kept_) ::unlink(path_.c_str());
    }

    [[nodiscard]] bool is_open() const { return fd_ >= 0; }

    [[nodiscard]] result<void> append(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
            if (n >= 0) {
                bytes.remove_prefix(static_cast<std::size_t>(n));
            } else if (errno != EINTR) {
                return failure("written");
            }
        }
        return {};
    }

    /// Makes file and directory entry outlive a crash.
    [[nodiscard]] result<void> keep() {
        if (::fsync(fd_) != 0) return failure("synced to disk");
        const auto itself = fmt::format("/proc/self/fd/{}", fd_);
        if (!named_ && ::linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, path_.c_str(), AT_SYMLINK_FOLLOW) != 0)
            return failure("given its name");
        named_ = true;
        const auto parent = std::filesystem::path(path_).parent_path();
        const int directory =
            ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const bool synced = directory >= 0 && ::fsync(directory) == 0;
        if (!synced) {
            error why = failure("synced to disk with its directory");
            if (directory >= 0) ::close(directory);
            return why;
        }
        ::close(directory);
        kept_ = true;
        return {};
    }

  private:
    [[nodiscard]] error failure(std::string_view what) const {
        return {errc::storage,
                fmt::format("{}: the copy of standard input cannot be {}: {}", path_, what, reason(errno))};
    }

    std::string path_;
    int fd_ = -1;
    bool named_ = false;
    bool kept_ = false;
};

error cannot_create(const std::string& spool) {
    const int why = errno;
    if (why == EEXIST) {
        return {errc::journal_exists,
                fmt::format(
                    "{}: a copy of standard input is there already, from an earlier run; resume that run, "
                    "or choose another journal",
                    spool)};
    }
    return {errc::storage, fmt::format("{}: cannot be created: {}", spool, reason(why))};
}

/// 0 at the end. A descriptor that does not block (some shells leave a terminal so) is waited for.
result<std::size_t> read_input(int fd, std::vector<char>& to) {
    for (;;) {
        const ssize_t n = ::read(fd, to.data(), to.size());
        if (n >= 0) return static_cast<std::size_t>(n);
        if (errno == EAGAIN) {
            pollfd wait{fd, POLLIN, 0};
            (void)::poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return error(errc::bad_job, fmt::format("standard input: cannot be read: {}", reason(errno)));
        }
    }
}

}  // namespace

result<job_format> spool_standard_input(int fd, const std::string& spool) {
    spool_file file(spool);
    if (!file.is_open()) return cannot_create(spool);
    format_guess guess;
    std::vector<char> chunk(chunk_bytes);
    bool empty = true;
    for (;;) {
        const auto n = read_input(fd, chunk);
        if (!n) return n.error();
        if (*n == 0) break;
        empty = false;
        const std::string_view bytes(chunk.data(), *n);
        guess.look(bytes);
        if (auto written = file.append(bytes); !written) return written.error();
    }
    if (empty)
        return error(errc::bad_job, "standard input: is empty; a job file has a header row or JSON objects");
    if (auto kept = file.keep(); !kept) return kept.error();
    return guess.format();
}

}  // namespace muster
