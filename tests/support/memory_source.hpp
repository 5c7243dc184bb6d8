// A byte_source over memory, for the reader tests: it delivers at most so many bytes a read, which puts the
// end of the buffer at every place there is, and it can fail after so many.
#pragma once

#include "io/byte_source.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace muster::test {

class memory_source final : public byte_source {
  public:
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    explicit memory_source(std::string data, std::size_t chunk = unlimited, std::size_t fails_at = unlimited)
        : data_(std::move(data)), chunk_(chunk), fails_at_(fails_at) {}

    [[nodiscard]] result<std::size_t> read(std::span<char> to) override {
        if (at_ >= fails_at_) return error(errc::bad_job, "memory: cannot be read");
        const std::size_t n = std::min({chunk_, to.size(), data_.size() - at_, fails_at_ - at_});
        std::memcpy(to.data(), data_.data() + at_, n);
        at_ += n;
        return n;
    }

  private:
    std::string data_;
    std::size_t chunk_;
    std::size_t fails_at_;
    std::size_t at_ = 0;
};

}  // namespace muster::test
