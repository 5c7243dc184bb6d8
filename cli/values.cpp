#include "cli/values.hpp"

#include <fmt/format.h>

#include <charconv>

namespace muster {
namespace {

// Splits "12.5min" into 12.5 and "min".
bool split_number(const std::string& text, double& number, std::string& unit) {
    const char* const end = text.data() + text.size();
    const auto [at, problem] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    unit.assign(at, end);
    return problem == std::errc{} && number > 0;
}

}  // namespace

result<double> parse_rate(const std::string& flag, const std::string& text) {
    double number = 0;
    std::string unit;
    if (split_number(text, number, unit) && number <= 1e9) {
        if (unit.empty() || unit == "/s") return number;
        if (unit == "/min" || unit == "/m") return number / 60;
        if (unit == "/h") return number / 3600;
    }
    return error(errc::usage, fmt::format("{} {}: must be a rate such as 100/s or 600/min", flag, text));
}

result<double> parse_share(const std::string& flag, const std::string& text) {
    double number = 0;
    std::string unit;
    if (split_number(text, number, unit) && number >= 1 && number <= 100 && (unit.empty() || unit == "%"))
        return number;
    return error(errc::usage, fmt::format("{} {}: must be a percentage from 1 to 100", flag, text));
}

result<std::chrono::milliseconds> parse_time(const std::string& flag, const std::string& text) {
    double number = 0;
    std::string unit;
    if (split_number(text, number, unit) && number <= 1e9) {
        double milliseconds = 0;
        if (unit == "ms") milliseconds = number;
        if (unit.empty() || unit == "s") milliseconds = number * 1e3;
        if (unit == "m" || unit == "min") milliseconds = number * 6e4;
        if (unit == "h") milliseconds = number * 3.6e6;
        if (milliseconds >= 1) return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds));
    }
    return error(errc::usage, fmt::format("{} {}: must be a time such as 30s, 500ms or 5min", flag, text));
}

}  // namespace muster
