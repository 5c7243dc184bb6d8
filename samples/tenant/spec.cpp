// Numbers are read with from_chars: no locale, no sign, no spaces, nothing left over.
#include "samples/tenant/spec.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace tenant {

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

spec_result<std::uint64_t> parse_count(std::string_view text) {
    std::uint64_t value = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value == 0 || value > 1'000'000'000) {
        return BadSpec{fmt::format("'{}' is not a whole number from 1 to 1000000000", text)};
    }
    return value;
}

spec_result<double> parse_number(std::string_view text, std::string_view suffix) {
    const auto bad = BadSpec{fmt::format("'{}' is not a positive number followed by '{}'", text, suffix)};
    if (!text.ends_with(suffix)) return bad;
    const auto digits = text.substr(0, text.size() - suffix.size());
    double value = 0;
    const auto* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value, std::chars_format::fixed);
    if (error != std::errc{} || stop != end || !std::isfinite(value) || value <= 0) return bad;
    return value;
}

spec_result<double> parse_percent(std::string_view text) {
    const auto number = parse_number(text, "%");
    if (!number || *number > 100) {
        return BadSpec{fmt::format("'{}' is not a percentage above 0% and up to 100%", text)};
    }
    return *number / 100;
}

spec_result<nanoseconds> parse_duration(std::string_view text, std::string_view suffix) {
    const auto number = parse_number(text, suffix);
    if (!number) return number.error();
    const double unit = suffix == "ms" ? 1e6 : 1e9;
    const double span = *number * unit;
    if (span > 86'400e9 || span < 1) return BadSpec{fmt::format("'{}' is not between 1 ns and a day", text)};
    return nanoseconds{static_cast<std::int64_t>(std::llround(span))};
}

}  // namespace tenant
