#include "io/append_file.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <optional>
#include <sys/stat.h>
#include <thread>

namespace muster {
namespace {

constexpr std::size_t copied_at_once = 256 * 1024;

/// Writes all that `fd` holds to a new file of this name.
result<void> write_anew(storage& disk, int fd, const std::string& name) {
    descriptor to(disk, disk.open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (to.get() < 0)
        return error(errc::storage, fmt::format("{}: cannot be created: {}", name, std::strerror(errno)));
    std::string chunk(copied_at_once, '\0');
    result<void> done;
    for (off_t at = 0; done;) {
        const ssize_t n = disk.pread(fd, chunk.data(), chunk.size(), at);
        if (n == 0) break;
        if (n > 0)
            done = write_all(disk, to.get(), std::string_view(chunk).substr(0, static_cast<std::size_t>(n)),
                             name);
        else if (errno != EINTR)
            done = error(errc::storage, fmt::format("{}: cannot be read: {}", name, std::strerror(errno)));
        at += std::max<ssize_t>(n, 0);
    }
    if (done && disk.fsync(to.get()) != 0)
        done = error(errc::storage, fmt::format("{}: cannot be synced: {}", name, std::strerror(errno)));
    to.reset(-1);
    if (done) done = sync_folder_of(disk, name);
    if (!done) disk.unlink(name.c_str());
    return done;
}

/// A file that has lost its last name is gone when it is closed: it is saved while it can be, and that is a
/// failure.
result<void> check_name(storage& disk, int fd, const std::string& name) {
    struct ::stat info {};
    if (disk.fstat(fd, info) != 0 || info.st_nlink > 0) return {};
    const auto saved = write_anew(disk, fd, name);
    if (saved)
        return error(
            errc::storage,
            fmt::format("{}: was deleted while the run went on; all of it was written there anew", name));
    return error(errc::storage,
                 fmt::format("{}: was deleted while the run went on, and is lost ({}); a new run of the "
                             "job finds out what is done already",
                             name, saved.error().message));
}

}  // namespace

result<void> write_all(storage& disk, int fd, std::string_view bytes, const std::string& name) {
    while (!bytes.empty()) {
        const ssize_t n = disk.write(fd, bytes.data(), bytes.size());
        if (n > 0)
            bytes.remove_prefix(static_cast<std::size_t>(n));
        else if (n == 0 || errno != EINTR)  // a file that takes nothing would be asked for ever
            return error(errc::storage, fmt::format("{}: cannot be written: {}", name,
                                                    n == 0 ? "it takes nothing" : std::strerror(errno)));
    }
    return {};
}

result<void> write_all(int fd, std::string_view bytes, const std::string& name) {
    return write_all(system_storage(), fd, bytes, name);
}

result<void> sync_folder_of(storage& disk, const std::string& path) {
    auto folder = std::filesystem::path(path).parent_path().string();
    if (folder.empty()) folder = ".";
    const descriptor fd(disk, disk.open(folder.c_str(), O_RDONLY | O_DIRECTORY, 0));
    if (fd.get() < 0 || disk.fsync(fd.get()) != 0)
        return error(errc::storage, fmt::format("{}: cannot be synced: {}", folder, std::strerror(errno)));
    return {};
}

struct append_file::impl {
    boost::asio::any_io_executor executor;
    storage* disk;
    int fd;
    std::string name;

    std::mutex mutex;
    std::condition_variable changed;
    std::optional<std::pair<std::string, handler>> batch;  // guarded, as is `ending`
    bool ending = false;
    bool busy = false;  // of the owner's thread only
    std::thread thread;

    // In pieces, so that no more than that is ever unsynced.
    result<void> write_and_sync(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto piece = bytes.substr(0, most_unsynced);
            bytes.remove_prefix(piece.size());
            if (auto written = write_all(*disk, fd, piece, name); !written) return written;
            if (disk->fdatasync(fd) != 0)
                return error(errc::storage,
                             fmt::format("{}: cannot be synced: {}", name, std::strerror(errno)));
        }
        return {};
    }

    void work() {
        while (true) {
            std::string bytes;
            handler done;
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, [this] { return ending || batch; });
                if (!batch) return;
                bytes = std::move(batch->first);
                done = std::move(batch->second);
                batch.reset();
            }
            auto outcome = write_and_sync(bytes);
            if (outcome) outcome = check_name(*disk, fd, name);
            boost::asio::post(executor, [this, outcome = std::move(outcome), bytes = std::move(bytes),
                                         done = std::move(done)]() mutable {
                busy = false;
                done(std::move(outcome), std::move(bytes));
            });
        }
    }
};

append_file::append_file(boost::asio::any_io_executor executor, int fd, std::string name, storage& disk)
    : impl_(std::make_unique<impl>()) {
    impl_->executor = std::move(executor);
    impl_->disk = &disk;
    impl_->fd = fd;
    impl_->name = std::move(name);
    impl_->thread = std::thread([i = impl_.get()] { i->work(); });
}

append_file::~append_file() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->ending = true;
    }
    impl_->changed.notify_one();
    impl_->thread.join();
    impl_->disk->close(impl_->fd);
}

void append_file::append(std::string bytes, handler done) {
    // Keeps the executor's run() going until the handler was called.
    handler guarded = [work = boost::asio::make_work_guard(impl_->executor), done = std::move(done)](
                          result<void> outcome, std::string buffer) mutable {
        work.reset();
        done(std::move(outcome), std::move(buffer));
    };
    impl_->busy = true;
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->batch.emplace(std::move(bytes), std::move(guarded));
    }
    impl_->changed.notify_one();
}

bool append_file::busy() const noexcept {
    return impl_->busy;
}

}  // namespace muster
