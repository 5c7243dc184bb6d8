// SHA-256 of a long text that comes in blocks, on a thread of its own: hashing takes a good part of the time that
// reading a job takes, and needs nothing of what the reader does meanwhile.
#pragma once

#include <openssl/types.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace muster {

/// For one thread; throws where OpenSSL cannot compute SHA-256, which is a broken installation.
class background_sha256 {
  public:
    background_sha256();
    ~background_sha256();
    background_sha256(const background_sha256&) = delete;
    background_sha256& operator=(const background_sha256&) = delete;

    /// Copies the bytes; waits while the block before is not hashed yet.
    void add(std::span<const char> bytes);
    /// Of all that was added so far: 64 hexadecimal digits.
    [[nodiscard]] std::string text() const;

  private:
    struct free_digest {
        void operator()(EVP_MD_CTX* context) const noexcept;
    };
    [[nodiscard]] bool start_thread();
    void work();
    void wait_until_hashed(std::unique_lock<std::mutex>& lock) const;

    std::unique_ptr<EVP_MD_CTX, free_digest> digest_;
    bool begun_ = false;  ///< the first block was added, and hashed at once
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::vector<char> block_;  ///< the thread's while it is not hashed
    bool hashed_ = true;
    bool failed_ = false;
    bool ending_ = false;
    std::thread thread_;  ///< from the second block on: short jobs need none
};

}  // namespace muster
