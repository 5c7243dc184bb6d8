#include "engine/retry_policy.hpp"

#include "engine/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace muster {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds backoff_base = 200ms;
constexpr std::chrono::milliseconds backoff_cap = 30s;
constexpr std::chrono::milliseconds longest_wait = 24h;

constexpr std::size_t longest_number = 9;  // digits that fit an int

/// At most so many digits and nothing else: no sign, no space.
std::optional<int> number(std::string_view text, std::size_t longest) {
    if (text.empty() || text.size() > longest || !std::ranges::all_of(text, is_ascii_digit))
        return std::nullopt;
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

std::optional<unsigned> month_of(std::string_view name) {
    constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (unsigned i = 0; i < months.size(); ++i)
        if (equal_ignoring_case(months[i], name)) return i + 1;
    return std::nullopt;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> out;
    while (!text.empty() && out.size() < 10) {
        const auto end = text.find_first_of(separators);
        if (end != 0) out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return out;
}

std::optional<wall_time> make_time(std::string_view year, std::string_view month, std::string_view day,
                                   std::string_view clock) {
    auto y = number(year, 4);
    const auto m = month_of(month);
    const auto d = number(day, 2);
    const auto parts = split(clock, ":");
    if (!y || !m || !d || (year.size() != 4 && year.size() != 2) || parts.size() != 3) return std::nullopt;
    const auto hour = number(parts[0], 2), minute = number(parts[1], 2), second = number(parts[2], 2);
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    if (year.size() == 2) *y += *y < 70 ? 2000 : 1900;  // RFC 850; a date over 50 years ahead means the past
    const std::chrono::year_month_day date{std::chrono::year(*y), std::chrono::month(*m),
                                           std::chrono::day(static_cast<unsigned>(*d))};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

}  // namespace

verdict judge(unsigned status) noexcept {
    if (status == 200) return verdict::success;
    if (status == 429) return verdict::throttled;
    if (status == 401 || status == 403) return verdict::unauthorised;
    if (status == 407 || (status >= 300 && status < 400)) return verdict::misdirected;
    if (status == 408 || status == 425 || status < 400 || status >= 500) return verdict::failed;
    return verdict::refused;
}

std::chrono::milliseconds backoff(unsigned attempt, random_source& random) {
    const unsigned doublings = std::min(attempt == 0 ? 0U : attempt - 1, 10U);
    const auto ceiling = std::min(backoff_base * (1 << doublings), backoff_cap);
    return std::chrono::milliseconds(std::uniform_int_distribution<std::int64_t>(0, ceiling.count())(random));
}

std::optional<std::chrono::milliseconds> retry_after(const http_reply& reply, wall_time now) {
    const auto value = reply.header("retry-after");
    if (value.empty()) return std::nullopt;
    if (const auto seconds = number(value, longest_number))
        return std::min<std::chrono::milliseconds>(std::chrono::seconds(*seconds), longest_wait);
    if (std::ranges::all_of(value, is_ascii_digit)) return longest_wait;
    const auto at = parse_http_date(value);
    if (!at) return std::nullopt;
    const auto server_now = parse_http_date(reply.header("date"));
    const auto wait = *at - server_now.value_or(now);
    return std::clamp<std::chrono::milliseconds>(wait, 0ms, longest_wait);
}

std::optional<wall_time> parse_http_date(std::string_view text) {
    const auto parts = split(text, " ,");
    // Sun, 06 Nov 1994 08:49:37 GMT
    if (parts.size() == 6) return make_time(parts[3], parts[2], parts[1], parts[4]);
    // Sunday, 06-Nov-94 08:49:37 GMT
    if (parts.size() == 4) {
        const auto date = split(parts[1], "-");
        if (date.size() != 3) return std::nullopt;
        return make_time(date[2], date[1], date[0], parts[2]);
    }
    // Sun Nov  6 08:49:37 1994
    if (parts.size() == 5) return make_time(parts[4], parts[1], parts[2], parts[3]);
    return std::nullopt;
}

}  // namespace muster
