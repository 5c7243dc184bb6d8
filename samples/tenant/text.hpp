// The small text forms of the wire: ISO 8601 and HTTP dates, UUIDs, JSON strings, percent and base64url
// decoding.
//
// All of them are pure, and strict where leniency would let a client's mistake pass unseen (base64url refuses
// padding and stray bits; a UUID has exactly one shape). Time never comes from here: callers pass it in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tenant {

/// Wall-clock time in UTC, the resolution of the API's timestamps.
using Wall = std::chrono::sys_time<std::chrono::milliseconds>;

/// `2021-06-11T19:10:30.045Z`.
[[nodiscard]] std::string iso_text(Wall at);

/// `2021-06-11`, the UTC day of `at`.
[[nodiscard]] std::string date_text(Wall at);

/// `Fri, 11 Jun 2021 19:10:30 GMT` (RFC 9110); fractions of a second are cut off.
[[nodiscard]] std::string http_date(Wall at);

/// `text` as a JSON string with its quotes; `text` must be UTF-8.
[[nodiscard]] std::string json_string(std::string_view text);

/// As json_string, but an empty text is `null`.
[[nodiscard]] std::string json_or_null(std::string_view text);

/// ASCII lower case; other bytes stay.
[[nodiscard]] std::string lower(std::string_view text);

/// Equal without regard to ASCII case.
[[nodiscard]] bool same_ignoring_case(std::string_view a, std::string_view b);

/// 8-4-4-4-12 hexadecimal digits, either case.
[[nodiscard]] bool is_uuid(std::string_view text);

/// One to `longest` ASCII digits.
[[nodiscard]] bool is_digits(std::string_view text, std::size_t longest);

/// Unicode code points in `utf8`, which must be valid.
[[nodiscard]] std::size_t code_points(std::string_view utf8);

/// RFC 3986 percent decoding; nothing when a `%` is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// RFC 4648 base64url without padding; nothing for a stray character, a wrong length or stray trailing bits.
[[nodiscard]] std::optional<std::string> base64url_decoded(std::string_view text);

/// A random (version 4) UUID's text from 128 given bits.
[[nodiscard]] std::string uuid_text(std::uint64_t high, std::uint64_t low);

}  // namespace tenant
