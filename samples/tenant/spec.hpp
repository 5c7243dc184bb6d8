// The words that --limit and --fault specifications are made of: splitting, numbers, percentages, durations.
//
// A parse error is a text for the user; it says what was expected, and the caller adds which flag it was in.
#pragma once

#include <boost/system/result.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tenant {

/// What is wrong with a specification, in plain words.
struct BadSpec {
    std::string message;
};

template <typename Value>
using spec_result = boost::system::result<Value, BadSpec>;

using std::chrono::nanoseconds;

/// The parts between the separators, empty ones included.
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// A whole number from 1 up to a billion.
[[nodiscard]] spec_result<std::uint64_t> parse_count(std::string_view text);

/// A positive decimal number with the given suffix, such as `2.5s` or `100/s`.
[[nodiscard]] spec_result<double> parse_number(std::string_view text, std::string_view suffix);

/// `5%` or `0.5%` as a share of 1; at most 100%.
[[nodiscard]] spec_result<double> parse_percent(std::string_view text);

/// `10s` or `0.5s` with the suffix `s`, `250ms` with the suffix `ms`; at most a day.
[[nodiscard]] spec_result<nanoseconds> parse_duration(std::string_view text, std::string_view suffix);

}  // namespace tenant
