// JSON written by hand, where a whole document object would only be in the way: requests and report lines.
// What is appended is valid JSON whatever the input, since a report must stay readable for the rows that are
// broken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster {

/// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD, one for each.
void append_json_string(std::string& out, std::string_view text);

/// Appends a JSON number.
void append_json_number(std::string& out, std::uint64_t number);

/// Whether all of `text` is UTF-8; quick for the ASCII that nearly all text is.
bool is_utf8(std::string_view text);

/// The length in bytes of the UTF-8 character at the front of `text`; 0 where there is none.
std::size_t utf8_character_length(std::string_view text);

}  // namespace muster
