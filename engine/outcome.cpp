#include "engine/outcome.hpp"

#include "engine/text.hpp"

#include <fmt/format.h>

namespace muster {
namespace {

constexpr std::array<std::string_view, outcome_count> names{"applied",   "already", "rejected", "blocked",
                                                            "exhausted", "inDoubt", "invalid",  "pending"};

// `count` digits at `at`, or nothing.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) noexcept {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (!is_ascii_digit(text[i])) return std::nullopt;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

// The same the other way.
void put_digits(char* to, std::size_t count, unsigned value) noexcept {
    for (std::size_t i = count; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
}

constexpr std::string_view iso_form = "0000-00-00T00:00:00.000Z";

}  // namespace

std::string_view name_of(outcome o) noexcept {
    return names[static_cast<std::size_t>(o)];
}

std::optional<outcome> find_outcome(std::string_view name) noexcept {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (equal_ignoring_case(names[i], name)) return static_cast<outcome>(i);
    return std::nullopt;
}

// Digit by digit: a report writes two for each row, and would spend half of its time in fmt.
void append_iso(std::string& out, wall_time t) {
    const auto day = std::chrono::floor<std::chrono::days>(t);
    const std::chrono::year_month_day date(day);
    const int year = static_cast<int>(date.year());
    const auto milliseconds = static_cast<unsigned>((t - day).count());
    const unsigned seconds = milliseconds / 1000, minutes = seconds / 60;
    const std::size_t begin = out.size();
    out += iso_form;
    char* text = out.data() + begin;
    put_digits(text + 5, 2, static_cast<unsigned>(date.month()));
    put_digits(text + 8, 2, static_cast<unsigned>(date.day()));
    put_digits(text + 11, 2, minutes / 60);
    put_digits(text + 14, 2, minutes % 60);
    put_digits(text + 17, 2, seconds % 60);
    put_digits(text + 20, 3, milliseconds % 1000);
    if (year >= 0 && year <= 9999)
        put_digits(text, 4, static_cast<unsigned>(year));
    else
        out.replace(begin, 4, fmt::format("{:04}", year));
}

std::string to_iso(wall_time t) {
    std::string text;
    append_iso(text, t);
    return text;
}

std::optional<wall_time> from_iso(std::string_view text) noexcept {
    if (text.size() != iso_form.size()) return std::nullopt;
    for (std::size_t i = 0; i < iso_form.size(); ++i)
        if (iso_form[i] != '0' && text[i] != iso_form[i]) return std::nullopt;
    const auto year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2),
               hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2),
               milli = digits(text, 20, 3);
    if (!year || !month || !day || !hour || !minute || !second || !milli) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second) + std::chrono::milliseconds(*milli);
}

}  // namespace muster
