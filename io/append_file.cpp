#include "io/append_file.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <optional>
#include <thread>

namespace muster {

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
