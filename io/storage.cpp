#include "io/storage.hpp"

#include <cstdio>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace muster {
namespace {

struct ::flock whole_file() {
    struct ::flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

class operating_system final : public storage {
  public:
    int open(const char* path, int flags, mode_t mode) override {
        return ::open(path, flags | O_CLOEXEC, mode);
    }
    int close(int fd) override { return ::close(fd); }
    int fstat(int fd, struct ::stat& info) override { return ::fstat(fd, &info); }
    ssize_t pread(int fd, char* to, std::size_t size, off_t at) override { return ::pread(fd, to, size, at); }
    ssize_t write(int fd, const char* from, std::size_t size) override { return ::write(fd, from, size); }
    off_t lseek(int fd, off_t to) override { return ::lseek(fd, to, SEEK_SET); }
    int ftruncate(int fd, off_t size) override { return ::ftruncate(fd, size); }
    int fdatasync(int fd) override { return ::fdatasync(fd); }
    int fsync(int fd) override { return ::fsync(fd); }
    int lock(int fd) override {
        auto lock = whole_file();
        return ::fcntl(fd, F_OFD_SETLK, &lock);
    }
    int locked_by_another(int fd) override {
        auto lock = whole_file();
        if (::fcntl(fd, F_OFD_GETLK, &lock) != 0) return -1;
        return lock.l_type != F_UNLCK ? 1 : 0;
    }
    int link_open(int fd, const char* path) override {
        const auto itself = "/proc/self/fd/" + std::to_string(fd);
        return ::linkat(AT_FDCWD, itself.c_str(), AT_FDCWD, path, AT_SYMLINK_FOLLOW);
    }
    int link(const char* from, const char* to) override { return ::link(from, to); }
    int rename(const char* from, const char* to) override { return std::rename(from, to); }
    int unlink(const char* path) override { return ::unlink(path); }
};

}  // namespace

storage& system_storage() noexcept {
    static operating_system instance;
    return instance;
}

}  // namespace muster
