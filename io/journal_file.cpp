#include "io/journal_file.hpp"

#include "io/append_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace muster {
namespace {

constexpr std::size_t read_chunk = 1024 * 1024;

error storage_error(const std::string& path, std::string_view what) {
    return {errc::storage, fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
}

class descriptor {
  public:
    explicit descriptor(int fd) : fd_(fd) {}
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }
    int release() noexcept { return std::exchange(fd_, -1); }
    void reset(int fd) noexcept { fd_ = fd; }

  private:
    int fd_;
};

result<int> open_existing(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd >= 0) {
        struct stat info {};
        if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return fd;
        ::close(fd);
        return error(errc::journal_missing, fmt::format("{}: is not a file", path));
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return error(errc::journal_missing, fmt::format("{}: there is no such journal", path));
    return storage_error(path, "cannot be opened");
}

// Locks belong to the open file (OFD locks): they end with the process however it ends, and can be asked for
// without being taken.
struct ::flock whole_file(short type) {
    struct ::flock lock {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

bool lock_exclusively(int fd) {
    auto lock = whole_file(F_WRLCK);
    return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool locked_by_another(int fd) {
    auto lock = whole_file(F_WRLCK);
    return ::fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

error creation_error(const std::string& path) {
    if (errno == EEXIST)
        return {errc::journal_exists, fmt::format("{}: there is a journal of an earlier run here", path)};
    return {errc::usage, fmt::format("{}: the journal cannot be created: {}", path, std::strerror(errno))};
}

// A locked file with this content, or none at all: it gets its name only when it is whole, so that a crash
// leaves no journal that cannot be read. (File systems without O_TMPFILE name it first.)
result<int> create_whole(const std::string& path, const std::string& content) {
    auto folder = std::filesystem::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
    descriptor fd(::open(folder.c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
    const bool nameless = fd.get() >= 0;
    if (!nameless) fd.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (fd.get() < 0) return creation_error(path);
    auto written = write_all(fd.get(), content, path);
    if (written && ::fdatasync(fd.get()) != 0) written = storage_error(path, "cannot be synced");
    if (written && !lock_exclusively(fd.get()))
        written = storage_error(path, "cannot be locked");
    if (!written) {
        if (!nameless) ::unlink(path.c_str());
        return written.error();
    }
    const auto itself = fmt::format("/proc/self/fd/{}", fd.get());
    if (nameless && ::linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0)
        return creation_error(path);
    return fd.release();
}

// Feeds the decoder until it has something to say.
class chunk_reader {
  public:
    chunk_reader(int fd, const std::string& path) : fd_(fd), path_(path), chunk_(read_chunk, '\0') {}

    result<void> feed(journal_decoder& decoder) {
        const ssize_t n = ::pread(fd_, chunk_.data(), chunk_.size(), static_cast<off_t>(at_));
        if (n < 0) {
            if (errno == EINTR) return {};
            return storage_error(path_, "cannot be read");
        }
        if (n == 0) decoder.finish();
        at_ += static_cast<std::uint64_t>(n);
        decoder.feed(std::string_view(chunk_).substr(0, static_cast<std::size_t>(n)));
        return {};
    }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return at_; }

  private:
    int fd_;
    const std::string& path_;
    std::string chunk_;
    std::uint64_t at_ = 0;
};

result<journal_decoder::step> next_step(chunk_reader& reader, journal_decoder& decoder, journal_record& out,
                                        bool searching) {
    while (true) {
        const auto s = searching ? decoder.resync() : decoder.next(out);
        if (s != journal_decoder::step::need_more) return s;
        if (auto fed = reader.feed(decoder); !fed) return fed.error();
    }
}

result<journal_contents> read_descriptor(int fd, const std::string& path, const outcome_visitor& visit) {
    using step = journal_decoder::step;
    journal_contents c;
    chunk_reader reader(fd, path);
    journal_record record;
    while (true) {
        auto s = next_step(reader, c.decoder, record, false);
        if (!s) return s.error();
        const bool searching = *s == step::bad;
        const std::uint64_t at = searching ? c.decoder.offset() : c.decoder.record_offset();
        if (*s == step::end) {
            if (c.damages.empty()) c.good_bytes = c.decoder.offset();
            break;
        }
        if (*s == step::record && c.replay.add(record)) {
            ++(c.damages.empty() ? c.records : c.records_behind_damage);
            if (const auto* done = std::get_if<row_outcome>(&record); done != nullptr && visit)
                visit(*done, at);
            continue;
        }
        const std::string why =
            searching ? c.decoder.problem() : "a record about a row that the job does not have";
        if (!c.replay.has_header())
            return error(errc::journal_damaged,
                         fmt::format("{}: cannot be read: at its start, {}", path, why));
        if (c.damages.empty()) c.good_bytes = at;
        if (searching) {
            s = next_step(reader, c.decoder, record, true);
            if (!s) return s.error();
            if (*s == step::end) {
                c.torn_bytes = reader.bytes() - at;
                break;
            }
        }
        c.damages.push_back({at, c.decoder.offset() - at, why});
    }
    c.size = reader.bytes();
    return c;
}

}  // namespace

result<journal_contents> read_journal(const std::string& path, const outcome_visitor& visit) {
    const auto fd = open_existing(path, O_RDONLY);
    if (!fd) return fd.error();
    const descriptor owned(*fd);
    auto contents = read_descriptor(*fd, path, visit);
    if (contents) contents->in_use = locked_by_another(*fd);
    return contents;
}

std::string damage_text(const std::string& path, const journal_contents& contents) {
    if (contents.damages.empty()) return {};
    const auto& first = contents.damages.front();
    return fmt::format("{}: damaged at byte {}: {} ({} bytes; {} place{} in all, {} valid records behind)",
                       path, first.offset, first.what, first.bytes, contents.damages.size(),
                       contents.damages.size() == 1 ? "" : "s", contents.records_behind_damage);
}

struct journal_file::impl {
    impl(boost::asio::any_io_executor executor, int fd, const std::string& path, journal_encoder e)
        : encoder(std::move(e)), file(std::move(executor), fd, path) {}

    journal_encoder encoder;
    append_file file;
    std::string spare;  // the last batch's buffer, to be used again
    bool broken = false;
};

journal_file::journal_file(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
journal_file::~journal_file() = default;

result<std::unique_ptr<journal_file>> journal_file::create(boost::asio::any_io_executor executor,
                                                           const std::string& path,
                                                           const journal_header& header) {
    journal_encoder encoder(header);
    auto fd = create_whole(path, encoder.take());
    if (!fd) return fd.error();
    if (const auto synced = sync_folder_of(path); !synced) {
        ::close(*fd);
        ::unlink(path.c_str());
        return synced.error();
    }
    return std::unique_ptr<journal_file>(
        new journal_file(std::make_unique<impl>(std::move(executor), *fd, path, std::move(encoder))));
}

result<std::unique_ptr<journal_file>> journal_file::resume(boost::asio::any_io_executor executor,
                                                           const std::string& path,
                                                           journal_contents& contents) {
    const auto opened = open_existing(path, O_RDWR);
    if (!opened) return opened.error();
    descriptor fd(*opened);
    if (!lock_exclusively(fd.get())) {
        if (errno == EAGAIN || errno == EACCES)
            return error(errc::journal_busy,
                         fmt::format("{}: another muster is at work on this journal", path));
        return storage_error(path, "cannot be locked");
    }
    auto read = read_descriptor(fd.get(), path, {});
    if (!read) return read.error();
    contents = std::move(*read);
    if (!contents.damages.empty()) return error(errc::journal_damaged, damage_text(path, contents));
    const auto end = static_cast<off_t>(contents.good_bytes);
    if (contents.torn_bytes > 0 && (::ftruncate(fd.get(), end) != 0 || ::fdatasync(fd.get()) != 0))
        return storage_error(path, "its torn tail cannot be cut off");
    if (::lseek(fd.get(), end, SEEK_SET) < 0) return storage_error(path, "cannot be written");
    journal_encoder encoder(contents.replay.header().created_at, contents.good_bytes,
                            contents.decoder.phrases());
    return std::unique_ptr<journal_file>(new journal_file(
        std::make_unique<impl>(std::move(executor), fd.release(), path, std::move(encoder))));
}

std::uint64_t journal_file::intents(std::span<const std::uint64_t> rows) {
    impl_->encoder.intents(rows);
    return impl_->encoder.offset();
}
std::uint64_t journal_file::withdrawn(std::span<const std::uint64_t> rows) {
    impl_->encoder.withdrawn(rows);
    return impl_->encoder.offset();
}
std::uint64_t journal_file::outcome(const row_outcome& o) {
    impl_->encoder.outcome(o);
    return impl_->encoder.offset();
}
std::uint64_t journal_file::end(const end_record& r) {
    impl_->encoder.end(r);
    return impl_->encoder.offset();
}

std::uint64_t journal_file::limit(const learnt_limit& l) {
    impl_->encoder.limit(l);
    return impl_->encoder.offset();
}
void journal_file::session(const session_record& r) {
    impl_->encoder.session(r);
}

void journal_file::flush(std::function<void(result<std::uint64_t>)> done) {
    if (impl_->file.busy() || impl_->broken || impl_->encoder.empty()) return;
    const std::uint64_t position = impl_->encoder.offset();
    std::string batch = impl_->encoder.take(std::move(impl_->spare));
    impl_->file.append(std::move(batch),
                       [this, position, done = std::move(done)](result<void> outcome, std::string buffer) {
                           impl_->spare = std::move(buffer);
                           if (outcome) return done(position);
                           impl_->broken = true;
                           done(outcome.error());
                       });
}

bool journal_file::settled() const noexcept {
    return !impl_->file.busy() && (impl_->broken || impl_->encoder.empty());
}

}  // namespace muster
