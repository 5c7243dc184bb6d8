#include "io/journal_reader.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <variant>

namespace muster {
namespace {

constexpr std::size_t read_chunk = 1024 * 1024;

// Feeds the decoder until it has something to say.
class chunk_reader {
  public:
    chunk_reader(storage& disk, int fd, const std::string& path)
        : disk_(disk), fd_(fd), path_(path), chunk_(read_chunk, '\0') {}

    result<void> feed(journal_decoder& decoder) {
        const ssize_t n = disk_.pread(fd_, chunk_.data(), chunk_.size(), static_cast<off_t>(at_));
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
    storage& disk_;
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

error unreadable(const std::string& path, std::string_view why) {
    return {errc::journal_damaged, fmt::format("{}: cannot be read: at its start, {}", path, why)};
}

}  // namespace

error storage_error(const std::string& path, std::string_view what) {
    return {errc::storage, fmt::format("{}: {}: {}", path, what, std::strerror(errno))};
}

result<int> open_journal(storage& disk, const std::string& path, int flags) {
    const int fd = disk.open(path.c_str(), flags, 0);
    if (fd >= 0) {
        struct ::stat info {};
        if (disk.fstat(fd, info) == 0 && S_ISREG(info.st_mode)) return fd;
        disk.close(fd);
        return error(errc::journal_missing, fmt::format("{}: is not a file", path));
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return error(errc::journal_missing, fmt::format("{}: there is no such journal", path));
    return storage_error(path, "cannot be opened");
}

result<void> lock_journal(storage& disk, int fd, const std::string& path) {
    if (disk.lock(fd) == 0) return {};
    if (errno == EAGAIN || errno == EACCES)
        return error(errc::journal_busy, fmt::format("{}: another muster is at work on this journal", path));
    return storage_error(path, "cannot be locked");
}

result<journal_contents> read_open_journal(storage& disk, int fd, const std::string& path,
                                           const record_visitor& visit) {
    using step = journal_decoder::step;
    journal_contents c;
    chunk_reader reader(disk, fd, path);
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
            if (visit) visit(record, at);
            continue;
        }
        const std::string why =
            searching ? c.decoder.problem() : "a record about a row that the job does not have";
        if (!c.replay.has_header()) return unreadable(path, why);
        if (c.damages.empty()) c.good_bytes = at;
        if (searching) {
            s = next_step(reader, c.decoder, record, true);
            if (!s) return s.error();
            if (*s == step::end) {
                c.torn_bytes = reader.bytes() - at;
                if (!c.damages.empty()) c.replay.gap();  // in such a file it need not be a crash's
                break;
            }
        }
        c.replay.gap();
        c.damages.push_back({at, c.decoder.offset() - at, why});
    }
    c.size = reader.bytes();
    return c;
}

result<journal_contents> read_journal(const std::string& path, const outcome_visitor& visit, storage& disk) {
    const auto fd = open_journal(disk, path, O_RDONLY);
    if (!fd) return fd.error();
    const descriptor owned(disk, *fd);
    record_visitor outcomes;
    if (visit)
        outcomes = [&](const journal_record& record, std::uint64_t offset) {
            if (const auto* done = std::get_if<row_outcome>(&record)) visit(*done, offset);
        };
    auto contents = read_open_journal(disk, *fd, path, outcomes);
    if (contents) contents->in_use = disk.locked_by_another(*fd) == 1;
    return contents;
}

result<journal_header> read_journal_header(const std::string& path, storage& disk) {
    const auto fd = open_journal(disk, path, O_RDONLY);
    if (!fd) return fd.error();
    const descriptor owned(disk, *fd);
    chunk_reader reader(disk, *fd, path);
    journal_decoder decoder;
    journal_record first;
    const auto found = next_step(reader, decoder, first, false);
    if (!found) return found.error();
    if (*found != journal_decoder::step::record) return unreadable(path, decoder.problem());
    return std::get<journal_header>(std::move(first));
}

std::string damage_text(const std::string& path, const journal_contents& contents) {
    if (contents.damages.empty()) return {};
    const auto& first = contents.damages.front();
    return fmt::format("{}: damaged at byte {}: {} ({} bytes; {} place{} in all, {} valid records behind)",
                       path, first.offset, first.what, first.bytes, contents.damages.size(),
                       contents.damages.size() == 1 ? "" : "s", contents.records_behind_damage);
}

}  // namespace muster
