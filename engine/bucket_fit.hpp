// The token buckets that explain what a limit let through and what it refused.
//
// A bucket that refuses has less than one request left, one that lets through had one. So each stretch of
// time that ends with a refusal bounds, for every rate, the burst from both sides; several stretches leave a
// small region of rates and bursts, and its extent tells how well they are known. Where others take from the
// bucket, or where it is none, there is no such region.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace muster {

/// From a moment at which nothing was left, or the bucket was full, to the next refusal. Times are seconds
/// since any moment.
struct bucket_stretch {
    std::vector<double> let_through;  ///< when each of them left, ascending, from `from` to `to`
    double from = 0;
    double known =
        0;  ///< when it was known that nothing was left: what left before came about when that was refused
    double to = 0;  ///< the refused request left
    bool full_at_first = false;
};

struct bucket_fit {
    double rate = 0;            ///< requests a second
    double burst = 0;           ///< requests
    double doubt = 0;           ///< by how much of it the rate may be wrong
    std::size_t stretches = 0;  ///< that it explains: those before may have met another limit
};

/// The bucket that explains the newest three stretches and as many of the older ones as any can; nothing
/// where there is none, or very different ones do. (Some bucket explains any two.) `out_of_step`: requests
/// that may come before others that left earlier.
std::optional<bucket_fit> fit_bucket(std::span<const bucket_stretch> newest_first, double out_of_step);

}  // namespace muster
