// A file that only grows, written and synced on a thread of its own, so that the network never waits for the
// disk. One batch is under way at a time; whatever its owner gathers meanwhile is the next (group commit).
#pragma once

#include "engine/error.hpp"
#include "io/storage.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <string>

namespace muster {

/// At most so many bytes are ever written and not yet synced.
inline constexpr std::size_t most_unsynced = 4 * 1024 * 1024;

class append_file {
  public:
    /// Called on the executor when a batch is durable or has failed; the buffer comes back for reuse.
    using handler = std::function<void(result<void>, std::string)>;

    /// Takes over `fd`, positioned at the end. `name` is for messages.
    append_file(boost::asio::any_io_executor executor, int fd, std::string name,
                storage& disk = system_storage());
    /// Waits for the batch under way; its handler is not called any more once the executor is gone.
    ~append_file();
    append_file(const append_file&) = delete;
    append_file& operator=(const append_file&) = delete;

    /// Writes and syncs (fdatasync). Fails too when the file was deleted meanwhile; then its content is
    /// written to a new file of that name, if that can be. Not to be called while busy(). After a failure
    /// (storage) the file must not be written again: what the kernel kept of it is unknown.
    void append(std::string bytes, handler done);
    [[nodiscard]] bool busy() const noexcept;

  private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

/// Writes all of `bytes`; short writes and interruptions are gone on with. Fails (storage), naming the file.
result<void> write_all(storage& disk, int fd, std::string_view bytes, const std::string& name);
result<void> write_all(int fd, std::string_view bytes, const std::string& name);

/// Makes a new file's name durable: syncs the folder it is in.
result<void> sync_folder_of(storage& disk, const std::string& path);

}  // namespace muster
