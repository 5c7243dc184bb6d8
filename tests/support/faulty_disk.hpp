// A disk in memory that the real journal code runs on. It knows what a kernel and a disk know: what was
// written, what of it is durable, which names are; and it forgets the rest when the power fails, tears what
// was under way at any byte, and fails any call. A failed sync is as cruel as Linux's: what could not be
// written counts as clean from then on, and is read back as if it were there until the power fails or it is
// evicted.
#pragma once

#include "io/storage.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace muster::test {

/// What happens at one call.
enum class fault : std::uint8_t {
    none,
    dies_before,  ///< the process ends; the call does nothing
    dies_after,   ///< the process ends; the call was carried out
    eio,
    enospc,
    eintr,
    short_write,      ///< half of the bytes are taken
    short_then_full,  ///< half of the bytes are taken, and nothing more
};

class faulty_disk final : public storage {
  public:
    // ---- what the test does

    /// The next call is number 0.
    void plan(fault what, std::size_t at_call) {
        planned_ = what;
        countdown_ = at_call;
        happened_ = false;
    }
    [[nodiscard]] bool happened() const { return happened_; }
    [[nodiscard]] std::size_t calls() const { return calls_; }
    /// Writes or syncs of an open file for which one of them had failed before: never to be seen.
    [[nodiscard]] std::size_t retried() const { return retried_; }
    /// Successful syncs so far.
    [[nodiscard]] std::size_t syncs() const { return syncs_; }
    bool without_tmpfile = false;

    /// The process is gone, and its files are closed; what it wrote is in the kernel's memory still.
    void process_ends() {
        dead_ = false;
        planned_ = fault::none;
        files_.clear();
    }
    /// The kernel needs the memory of pages that it takes for clean.
    void evict() {
        for (auto& [name, n] : names_) n->evict();
    }
    /// The power fails. `kept` decides how many of the bytes under way reached the disk, `names` whether
    /// changes of names did.
    void power_fails(std::uint64_t kept, bool new_names) {
        process_ends();
        for (auto* names : {&names_, &durable_names_})
            for (auto& [name, n] : *names) n->lose(kept);
        if (!new_names) names_ = durable_names_;
        durable_names_ = names_;
    }
    /// What would be left of a file if the power failed now and nothing under way reached the disk.
    [[nodiscard]] std::string durable(const std::string& path) const {
        const auto found = durable_names_.find(path);
        return found == durable_names_.end() ? std::string() : found->second->disk;
    }
    [[nodiscard]] std::string content(const std::string& path) const {
        const auto found = names_.find(path);
        return found == names_.end() ? std::string() : found->second->cache;
    }
    /// Bytes that were written and are not durable.
    [[nodiscard]] std::size_t under_way(const std::string& path) const {
        const auto found = names_.find(path);
        return found == names_.end() ? 0 : found->second->dirty_to - found->second->dirty_from;
    }
    [[nodiscard]] bool exists(const std::string& path) const { return names_.contains(path); }
    [[nodiscard]] const auto& names() const { return names_; }
    /// Puts a durable file there.
    void put(const std::string& path, std::string content) {
        auto n = std::make_shared<node>();
        n->disk = n->cache = std::move(content);
        names_[path] = durable_names_[path] = n;
    }

    // ---- what the journal does

    int open(const char* path, int flags, mode_t) override {
        return call([&]() -> int {
            open_file f;
            if ((flags & O_TMPFILE) == O_TMPFILE) {
                if (without_tmpfile) return fail(EOPNOTSUPP);
                f.what = std::make_shared<node>();
            } else if ((flags & O_DIRECTORY) != 0) {
                f.folder = true;
            } else if (const auto found = names_.find(path); found != names_.end()) {
                if ((flags & O_EXCL) != 0) return fail(EEXIST);
                f.what = found->second;
            } else {
                if ((flags & O_CREAT) == 0) return fail(ENOENT);
                f.what = names_[path] = std::make_shared<node>();
            }
            files_[++last_fd_] = f;
            return last_fd_;
        });
    }
    int close(int fd) override {
        files_.erase(fd);
        return 0;
    }
    int fstat(int fd, struct ::stat& info) override {
        const auto* f = file(fd);
        if (f == nullptr) return fail(EBADF);
        info.st_mode = S_IFREG | 0600;
        info.st_nlink = 1;
        info.st_size = static_cast<off_t>(f->what->cache.size());
        return 0;
    }
    ssize_t pread(int fd, char* to, std::size_t size, off_t at) override {
        return call([&]() -> ssize_t {
            const auto* f = file(fd);
            if (f == nullptr) return fail(EBADF);
            const auto& from = f->what->cache;
            const auto place = std::min(static_cast<std::size_t>(at), from.size());
            const auto n = std::min(size, from.size() - place);
            std::memcpy(to, from.data() + place, n);
            return static_cast<ssize_t>(n);
        });
    }
    ssize_t write(int fd, const char* from, std::size_t size) override {
        watch(fd);
        short_ = false;
        return call(
            [&]() -> ssize_t {
                auto* f = file(fd);
                if (f == nullptr) return fail(EBADF);
                const auto n = short_ ? (size + 1) / 2 : size;
                f->what->write(f->at, {from, n});
                f->at += n;
                return static_cast<ssize_t>(n);
            },
            fd, true);
    }
    off_t lseek(int fd, off_t to) override {
        return call([&]() -> off_t {
            auto* f = file(fd);
            if (f == nullptr) return fail(EBADF);
            f->at = static_cast<std::size_t>(to);
            return to;
        });
    }
    int ftruncate(int fd, off_t size) override {
        return call([&]() -> int {
            auto* f = file(fd);
            if (f == nullptr) return fail(EBADF);
            f->what->truncate(static_cast<std::size_t>(size));
            return 0;
        });
    }
    int fdatasync(int fd) override {
        watch(fd);
        const int done = call(
            [&]() -> int {
                auto* f = file(fd);
                if (f == nullptr) return fail(EBADF);
                f->what->sync();
                ++syncs_;
                return 0;
            },
            fd);
        if (done != 0 && !dead_ && file(fd) != nullptr) file(fd)->what->sync_fails();
        return done;
    }
    int fsync(int fd) override {
        const auto f = files_.find(fd);
        if (f == files_.end() || !f->second.folder) return fdatasync(fd);
        return call([&]() -> int {
            durable_names_ = names_;
            return 0;
        });
    }
    int lock(int fd) override {
        return call([&]() -> int {
            if (held_by_another(fd)) return fail(EAGAIN);
            files_[fd].locked = true;
            return 0;
        });
    }
    int locked_by_another(int fd) override { return held_by_another(fd) ? 1 : 0; }
    int link_open(int fd, const char* path) override {
        return call(
            [&]() -> int { return names_.try_emplace(path, files_[fd].what).second ? 0 : fail(EEXIST); });
    }
    int link(const char* from, const char* to) override {
        return call([&]() -> int {
            const auto found = names_.find(from);
            if (found == names_.end()) return fail(ENOENT);
            return names_.try_emplace(to, found->second).second ? 0 : fail(EEXIST);
        });
    }
    int rename(const char* from, const char* to) override {
        return call([&]() -> int {
            const auto found = names_.find(from);
            if (found == names_.end()) return fail(ENOENT);
            names_[to] = found->second;
            names_.erase(from);
            return 0;
        });
    }
    int unlink(const char* path) override {
        return call([&]() -> int { return names_.erase(path) > 0 ? 0 : fail(ENOENT); });
    }

  private:
    struct node {
        std::string cache, disk;
        std::size_t dirty_from = 0,
                    dirty_to = 0;  // bytes of the cache that are not on disk, and known not to be
        bool cut = false;          // it was made shorter, and the disk does not know

        void write(std::size_t at, std::string_view bytes) {
            if (cache.size() < at + bytes.size()) cache.resize(at + bytes.size());
            cache.replace(at, bytes.size(), bytes);
            dirty_from = dirty_from == dirty_to ? at : std::min(dirty_from, at);
            dirty_to = std::max(dirty_to, at + bytes.size());
        }
        void truncate(std::size_t size) {
            cache.resize(size);
            cut = cut || disk.size() > size;
            dirty_from = std::min(dirty_from, size);
            dirty_to = std::min(dirty_to, size);
        }
        void reach_disk(std::size_t bytes) {
            if (bytes == 0) return;
            if (disk.size() < dirty_from + bytes) disk.resize(dirty_from + bytes);
            disk.replace(dirty_from, bytes, cache, dirty_from, bytes);
        }
        void sync() {
            if (cut) disk.resize(std::min(disk.size(), cache.size()));
            reach_disk(dirty_to - dirty_from);
            if (disk.size() < cache.size()) disk.resize(cache.size());  // lost pages: nothing but zeros
            sync_fails();
            cut = false;
        }
        void sync_fails() { dirty_from = dirty_to = 0; }
        void evict() {
            std::string left = disk;
            left.resize(cache.size());
            if (dirty_to > dirty_from)
                left.replace(dirty_from, dirty_to - dirty_from, cache, dirty_from, dirty_to - dirty_from);
            cache = left;
        }
        void lose(std::uint64_t kept) {
            if (cut && kept % 2 == 0) disk.resize(std::min(disk.size(), cache.size()));
            reach_disk(static_cast<std::size_t>(kept % (dirty_to - dirty_from + 1)));
            cache = disk;
            dirty_from = dirty_to = 0;
            cut = false;
        }
    };
    struct open_file {
        std::shared_ptr<node> what;
        std::size_t at = 0;
        bool folder = false;
        bool locked = false;
        bool failed = false;  // a write or a sync of it failed for good
    };

    static int fail(int number) {
        errno = number;
        return -1;
    }
    open_file* file(int fd) {
        const auto found = files_.find(fd);
        return found == files_.end() || found->second.what == nullptr ? nullptr : &found->second;
    }
    bool held_by_another(int fd) const {
        const auto& mine = files_.at(fd).what;
        return std::any_of(files_.begin(), files_.end(), [&](const auto& f) {
            return f.first != fd && f.second.what == mine && f.second.locked;
        });
    }
    void watch(int fd) {
        if (const auto* f = file(fd); f != nullptr && f->failed && !dead_) ++retried_;
    }

    template <typename F>
    std::invoke_result_t<F> call(F carry_out, int fd = -1, bool is_write = false) {
        if (dead_) return fail(EIO);
        ++calls_;
        fault now = fault::none;
        if (planned_ != fault::none && countdown_-- == 0) now = std::exchange(planned_, fault::none);
        const bool shortens = now == fault::short_write || now == fault::short_then_full;
        if (now == fault::none || (shortens && !is_write)) return carry_out();
        happened_ = true;
        switch (now) {
            case fault::dies_after: carry_out(); [[fallthrough]];
            case fault::dies_before: dead_ = true; return fail(EIO);
            case fault::eio: return broken(fd, EIO);
            case fault::enospc: return broken(fd, ENOSPC);
            case fault::eintr: return is_write ? fail(EINTR) : broken(fd, EINTR);
            default: break;
        }
        short_ = true;
        const auto taken = carry_out();
        if (now == fault::short_then_full) {
            planned_ = fault::enospc;
            countdown_ = 0;
        }
        return taken;
    }
    int broken(int fd, int number) {
        if (auto* f = fd < 0 ? nullptr : file(fd)) f->failed = true;
        return fail(number);
    }

    std::map<std::string, std::shared_ptr<node>> names_, durable_names_;
    std::map<int, open_file> files_;
    int last_fd_ = 1000;
    fault planned_ = fault::none;
    std::size_t countdown_ = 0, calls_ = 0, retried_ = 0, syncs_ = 0;
    bool happened_ = false, dead_ = false, short_ = false;
};

}  // namespace muster::test
