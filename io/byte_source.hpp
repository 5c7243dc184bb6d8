// Where a reader's bytes come from: a file, standard input's spool, or memory in the tests.
#pragma once

#include "engine/error.hpp"

#include <cstddef>
#include <span>

namespace muster {

class byte_source {
  public:
    virtual ~byte_source() = default;
    /// Fills the front of `to` and says how many bytes it wrote; 0 is the end of the data, for good.
    /// Fails (bad_job) with a message that names the file.
    [[nodiscard]] virtual result<std::size_t> read(std::span<char> to) = 0;
};

}  // namespace muster
