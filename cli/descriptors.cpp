#include "cli/descriptors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sys/resource.h>

namespace muster {
namespace {

// Streams, job, journal and its folder, event loop, signals, name look-up, and some to spare.
constexpr rlim_t others = 20;

}  // namespace

result<unsigned> room_for_connections(unsigned wanted) {
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
    const rlim_t needed = others + wanted;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = std::min(needed, limit.rlim_max);
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 && ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
    }
    if (limit.rlim_cur >= needed) return wanted;
    if (limit.rlim_cur <= others)
        return error(errc::usage,
                     fmt::format("this process may have {} open files only; {} are needed at least, and more "
                                 "for more connections (ulimit -n)",
                                 limit.rlim_cur, others + 1));
    return static_cast<unsigned>(limit.rlim_cur - others);
}

}  // namespace muster
