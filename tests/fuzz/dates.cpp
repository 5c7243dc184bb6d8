// Dates. What is read of any text is a time of the years 0 to 9999, and printed and read again it is the same; any time
// of these years is printed and read back.
#include "engine/outcome.hpp"
#include "engine/retry_policy.hpp"
#include "samples/tenant/text.hpp"
#include "tests/fuzz/target.hpp"

#include <chrono>
#include <cstring>
#include <string_view>

using namespace muster;
using namespace muster::fuzz;
using std::chrono::milliseconds;

namespace {

const wall_time first_day = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
const wall_time after_last_day = std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1);

bool has_four_digit_year(wall_time t) {
    return t >= first_day && t < after_last_day;
}

void check_printed(wall_time t) {
    require(from_iso(to_iso(t)) == t, "ISO 8601 there and back");
    require(to_iso(t) == tenant::iso_text(t), "Muster and the tenant print the same");
    const auto second = std::chrono::floor<std::chrono::seconds>(t);
    require(parse_http_date(tenant::http_date(t)) == second, "an HTTP date there and back");
}

}  // namespace

FUZZ_TARGET(dates) {
    if (const auto t = from_iso(input)) {
        require(to_iso(*t) == input, "one text for one time");
        check_printed(*t);
    }
    if (const auto t = parse_http_date(input)) {
        require(has_four_digit_year(*t), "an HTTP date has a year of four digits");
        check_printed(*t);
    }
    std::uint64_t number = 0;
    std::memcpy(&number, input.data(), std::min(sizeof number, input.size()));
    const auto range = static_cast<std::uint64_t>((after_last_day - first_day).count());
    check_printed(first_day + milliseconds(static_cast<std::int64_t>(number % range)));
}
