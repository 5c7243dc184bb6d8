// The window that both readers look at their source through: the bytes from the start of the current record
// on. It moves and grows only when asked for more, so that views into it live until then, and it never grows
// beyond what one record may hold: memory stays the same whatever the file's size. The bytes behind the end
// may be read (not believed), as SIMD code does.
#pragma once

#include "io/byte_source.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace muster {

class record_buffer {
  public:
    /// This many bytes behind the end may be read.
    static constexpr std::size_t padding = 64;

    /// The source must outlive the buffer.
    explicit record_buffer(byte_source& source);
    /// Looks at a text in memory in place, all of which it is the window of, and may change it. The last
    /// `padding` bytes, which there must be, are not part of it; the first of them is written to.
    explicit record_buffer(std::span<char> padded_text);

    /// From the start of the current record to the last byte read so far.
    [[nodiscard]] char* begin() const noexcept { return begin_; }
    [[nodiscard]] char* end() const noexcept { return end_; }
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - begin_); }
    [[nodiscard]] std::string_view view() const noexcept { return {begin_, size()}; }

    /// The next record starts `bytes` further on.
    void consume(std::size_t bytes) noexcept { begin_ += bytes; }

    /// Reads more behind end() and says how many bytes; 0 is the end of the data. begin() and end() may move.
    /// More than max_record_bytes and a line break must not be asked for: the caller gives up before.
    [[nodiscard]] result<std::size_t> refill();

    /// Reads the first bytes and passes over a byte order mark. To be called once, first.
    [[nodiscard]] result<void> start();

  private:
    [[nodiscard]] std::size_t capacity_behind_end() const noexcept;
    void make_room();

    byte_source* source_ = nullptr;  // none: all is there
    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_ = 0;  // without the padding
    char* begin_;
    char* end_;
    bool ended_ = false;
};

}  // namespace muster
