#include "engine/run_settings.hpp"

#include <fmt/format.h>

#include <charconv>

namespace muster {

result<failure_limit> parse_failure_limit(const std::string& text) {
    failure_limit limit;
    if (text.empty()) return limit;
    const char* const end = text.data() + text.size();
    if (text.back() == '%') {
        double percent = 0;
        const auto [at, problem] = std::from_chars(text.data(), end - 1, percent);
        if (problem == std::errc{} && at == end - 1 && percent > 0 && percent <= 100) {
            limit.percent = percent;
            return limit;
        }
    } else {
        std::uint64_t rows = 0;
        const auto [at, problem] = std::from_chars(text.data(), end, rows);
        if (problem == std::errc{} && at == end && rows > 0) {
            limit.rows = rows;
            return limit;
        }
    }
    return error(errc::usage,
                 fmt::format("--stop-after-failures {}: must be a number of rows (25) or a share of "
                             "the finished rows (2.5%)",
                             text));
}

std::string to_text(const failure_limit& limit) {
    if (limit.rows) return fmt::format("{}", *limit.rows);
    if (limit.percent) return fmt::format("{}%", *limit.percent);
    return {};
}

}  // namespace muster
