// The system calls by which a journal comes to the disk and back. They are gathered here so that the tests
// can put a disk in their place that fails, tears and forgets: every call is as the one of the same name,
// returns -1 and sets errno. A batch of records costs two of them, so a virtual call is nothing beside it.
#pragma once

#include <cstddef>
#include <string_view>
#include <sys/stat.h>
#include <sys/types.h>

namespace muster {

class storage {
  public:
    virtual ~storage() = default;

    virtual int open(const char* path, int flags, mode_t mode) = 0;
    virtual int close(int fd) = 0;
    virtual int fstat(int fd, struct ::stat& info) = 0;
    virtual ssize_t pread(int fd, char* to, std::size_t size, off_t at) = 0;
    /// Writes at the file's position.
    virtual ssize_t write(int fd, const char* from, std::size_t size) = 0;
    virtual off_t lseek(int fd, off_t to) = 0;  ///< from the start
    virtual int ftruncate(int fd, off_t size) = 0;
    virtual int fdatasync(int fd) = 0;
    virtual int fsync(int fd) = 0;
    /// Locks the whole file for writing, without waiting. The lock belongs to the open file (OFD lock): it
    /// ends with the process, however that ends.
    virtual int lock(int fd) = 0;
    /// 1 when another open file holds the lock, 0 when none does.
    virtual int locked_by_another(int fd) = 0;
    /// Gives a file that was opened with O_TMPFILE its name.
    virtual int link_open(int fd, const char* path) = 0;
    virtual int link(const char* from, const char* to) = 0;
    virtual int rename(const char* from, const char* to) = 0;
    virtual int unlink(const char* path) = 0;
};

/// The operating system's.
storage& system_storage() noexcept;

/// A descriptor that is closed when it goes out of scope.
class descriptor {
  public:
    descriptor(storage& disk, int fd) noexcept : disk_(disk), fd_(fd) {}
    ~descriptor() { reset(-1); }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }
    int release() noexcept {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void reset(int fd) noexcept {
        if (fd_ >= 0) disk_.close(fd_);
        fd_ = fd;
    }

  private:
    storage& disk_;
    int fd_;
};

}  // namespace muster
