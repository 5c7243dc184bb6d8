// See the header. A refill keeps what there is of the current record and moves it to the front: at most once
// a buffer, so each byte is moved about once in 256 KiB. Growth doubles, so a long record costs no more than
// that.
#include "io/record_buffer.hpp"

#include "io/record_reader.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace muster {
namespace {

constexpr std::size_t first_capacity = 256 * 1024;
constexpr std::size_t last_capacity = max_record_bytes + 64 * 1024;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

std::unique_ptr<char[]> allocate(std::size_t capacity) {
    return std::make_unique<char[]>(capacity + record_buffer::padding);
}

}  // namespace

record_buffer::record_buffer(byte_source& source)
    : source_(&source),
      bytes_(allocate(first_capacity)),
      capacity_(first_capacity),
      begin_(bytes_.get()),
      end_(bytes_.get()) {}

record_buffer::record_buffer(std::span<char> padded_text)
    : begin_(padded_text.data()), end_(begin_ + padded_text.size() - padding), ended_(true) {
    assert(padded_text.size() >= padding);
    *end_ = '\n';
}

std::size_t record_buffer::capacity_behind_end() const noexcept {
    return static_cast<std::size_t>(bytes_.get() + capacity_ - end_);
}

void record_buffer::make_room() {
    const std::size_t kept = size();
    if (begin_ != bytes_.get()) {
        std::memmove(bytes_.get(), begin_, kept);
    } else if (kept == capacity_) {
        capacity_ = std::min(capacity_ * 2, last_capacity);
        auto larger = allocate(capacity_);
        std::memcpy(larger.get(), begin_, kept);
        bytes_ = std::move(larger);
    }
    begin_ = bytes_.get();
    end_ = begin_ + kept;
}

result<std::size_t> record_buffer::refill() {
    if (ended_) return std::size_t{0};
    make_room();
    const auto read = source_->read({end_, capacity_behind_end()});
    if (!read) return read.error();
    end_ += *read;
    ended_ = *read == 0;
    if (ended_) *end_ = '\n';  // what was there before is not to be read
    return *read;
}

result<void> record_buffer::start() {
    while (size() < byte_order_mark.size()) {
        const auto read = refill();
        if (!read) return read.error();
        if (*read == 0) break;
    }
    if (view().starts_with(byte_order_mark)) consume(byte_order_mark.size());
    return {};
}

}  // namespace muster
