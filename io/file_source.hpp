// A file's bytes as a byte_source, hashed on the way if that is wanted: what a pass has read is known
// afterwards by its SHA-256, so a job can be told from another one without a second look at the file.
#pragma once

#include "io/background_sha256.hpp"
#include "io/byte_source.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace muster {

/// Whether a pass over a file is to know the SHA-256 of what it read.
enum class hashing : bool { off, on };

class file_source final : public byte_source {
  public:
    /// Reads from the start of `fd` by position, so that several sources may share it; does not own it.
    /// `name` is the file's for messages.
    file_source(int fd, std::string name, hashing hashed);

    [[nodiscard]] result<std::size_t> read(std::span<char> to) override;

    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return offset_; }
    /// Of the bytes read so far: 64 hexadecimal digits; empty where they are not hashed.
    [[nodiscard]] std::string sha256() const { return digest_ ? digest_->text() : std::string(); }

  private:
    int fd_;
    std::string name_;
    std::uint64_t offset_ = 0;
    bool ended_ = false;  // what is appended afterwards is not part of what was read
    std::optional<background_sha256> digest_;
};

}  // namespace muster
