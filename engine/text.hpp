// Small things about text that several rooms need: ASCII case, Unicode length, nearness of words, and text
// from outside made fit for a terminal or a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster {

constexpr char ascii_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr bool is_ascii_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}
constexpr bool is_ascii_alphanumeric(char c) noexcept {
    return is_ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}
constexpr bool is_hex_digit(char c) noexcept {
    return is_ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept;
std::string to_lower(std::string_view text);

/// Unicode characters (code points) in valid UTF-8.
std::size_t character_count(std::string_view utf8) noexcept;

/// Levenshtein distance without regard to ASCII case and to spaces, dashes and underscores; words over 64
/// bytes are at distance 64 from everything.
std::size_t edit_distance(std::string_view a, std::string_view b) noexcept;

/// A character as a message names it: "a space", "a line break", "the character '/'". `within` is the value
/// that holds it: of a multi-byte character the whole of it is shown.
std::string describe_character(std::string_view within, char c);

/// Text from a file or a reply made safe to show on one line: control characters (terminal escapes among
/// them) and bytes that are not UTF-8 become visible escapes, and it is cut at `limit` bytes, on a
/// character's edge, with an ellipsis. The result is UTF-8.
std::string printable(std::string_view text, std::size_t limit = 200);

/// Text from a reply made fit to keep in files that are UTF-8: bytes that are not become U+FFFD, and it is
/// cut at `limit` bytes, on a character's edge.
std::string kept_text(std::string_view text, std::size_t limit);

}  // namespace muster
