#include "io/journal_file.hpp"

#include "io/append_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>

namespace muster {
namespace {

error creation_error(const std::string& path) {
    if (errno == EEXIST)
        return {errc::journal_exists, fmt::format("{}: there is a journal of an earlier run here", path)};
    return {errc::usage, fmt::format("{}: the journal cannot be created: {}", path, std::strerror(errno))};
}

// A locked file with this content, or none at all: it gets its name only when it is whole, so that a crash
// leaves no journal that cannot be read. (File systems without O_TMPFILE name it first.)
result<int> create_whole(storage& disk, const std::string& path, const std::string& content) {
    auto folder = std::filesystem::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
    descriptor fd(disk, disk.open(folder.c_str(), O_RDWR | O_TMPFILE, 0600));
    const bool nameless = fd.get() >= 0;
    if (!nameless) fd.reset(disk.open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
    if (fd.get() < 0) return creation_error(path);
    auto written = write_all(disk, fd.get(), content, path);
    if (written && disk.fdatasync(fd.get()) != 0) written = storage_error(path, "cannot be synced");
    if (written && disk.lock(fd.get()) != 0) written = storage_error(path, "cannot be locked");
    if (!written) {
        if (!nameless) disk.unlink(path.c_str());
        return written.error();
    }
    if (nameless && disk.link_open(fd.get(), path.c_str()) != 0) return creation_error(path);
    return fd.release();
}

// What was read may be in the kernel's memory only: the process before was killed before its sync, or its
// sync failed, behind which the kernel takes the pages for clean and would never write them. The end of the
// file, as much as can be unsynced, is therefore written again over itself, and synced, before anything
// relies on it.
result<void> make_durable(storage& disk, int fd, const std::string& path, std::uint64_t size) {
    const std::uint64_t from = size > most_unsynced ? size - most_unsynced : 0;
    std::string tail(static_cast<std::size_t>(size - from), '\0');
    for (std::size_t have = 0; have < tail.size();) {
        const ssize_t n =
            disk.pread(fd, tail.data() + have, tail.size() - have, static_cast<off_t>(from + have));
        if (n == 0 || (n < 0 && errno != EINTR)) return storage_error(path, "cannot be read");
        if (n > 0) have += static_cast<std::size_t>(n);
    }
    if (disk.lseek(fd, static_cast<off_t>(from)) < 0) return storage_error(path, "cannot be written");
    if (auto written = write_all(disk, fd, tail, path); !written) return written;
    if (disk.fdatasync(fd) != 0) return storage_error(path, "cannot be synced");
    return sync_folder_of(disk, path);  // its name, too, may be in memory only
}

}  // namespace

struct journal_file::impl {
    impl(boost::asio::any_io_executor executor, storage& disk, int fd, const std::string& path,
         journal_encoder e)
        : encoder(std::move(e)), file(std::move(executor), fd, path, disk) {}

    journal_encoder encoder;
    append_file file;
    std::string spare;  // the last batch's buffer, to be used again
    bool broken = false;
};

journal_file::journal_file(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
journal_file::~journal_file() = default;

result<std::unique_ptr<journal_file>> journal_file::create(boost::asio::any_io_executor executor,
                                                           const std::string& path,
                                                           const journal_header& header, storage& disk) {
    journal_encoder encoder(header);
    auto fd = create_whole(disk, path, encoder.take());
    if (!fd) return fd.error();
    if (const auto synced = sync_folder_of(disk, path); !synced) {
        disk.close(*fd);
        disk.unlink(path.c_str());
        return synced.error();
    }
    return std::unique_ptr<journal_file>(
        new journal_file(std::make_unique<impl>(std::move(executor), disk, *fd, path, std::move(encoder))));
}

result<std::unique_ptr<journal_file>> journal_file::resume(boost::asio::any_io_executor executor,
                                                           const std::string& path,
                                                           journal_contents& contents, storage& disk) {
    const auto opened = open_journal(disk, path, O_RDWR);
    if (!opened) return opened.error();
    descriptor fd(disk, *opened);
    if (const auto locked = lock_journal(disk, fd.get(), path); !locked) return locked.error();
    auto read = read_open_journal(disk, fd.get(), path);
    if (!read) return read.error();
    contents = std::move(*read);
    if (!contents.damages.empty()) return error(errc::journal_damaged, damage_text(path, contents));
    if (contents.torn_bytes > 0 && disk.ftruncate(fd.get(), static_cast<off_t>(contents.good_bytes)) != 0)
        return storage_error(path, "its torn tail cannot be cut off");
    if (const auto durable = make_durable(disk, fd.get(), path, contents.good_bytes); !durable)
        return durable.error();
    journal_encoder encoder(contents.replay.header().created_at, contents.good_bytes,
                            contents.decoder.phrases());
    return std::unique_ptr<journal_file>(new journal_file(
        std::make_unique<impl>(std::move(executor), disk, fd.release(), path, std::move(encoder))));
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
    if (!gathers()) return;
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

bool journal_file::gathers() const noexcept {
    return !impl_->file.busy() && !impl_->broken && !impl_->encoder.empty();
}

bool journal_file::settled() const noexcept {
    return !impl_->file.busy() && (impl_->broken || impl_->encoder.empty());
}

}  // namespace muster
