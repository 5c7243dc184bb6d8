// See the header. Nearly all text is plain, so runs of plain bytes are appended at once; only text with a
// byte above 0x7F is checked for UTF-8.
#include "engine/json_text.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

namespace muster {
namespace {

/// For each byte what it becomes: 0 itself, 'u' \u00XX, else a backslash and that character.
constexpr std::array<char, 256> escapes = [] {
    std::array<char, 256> table{};
    for (std::size_t c = 0; c < 0x20; ++c) table[c] = 'u';
    table['\b'] = 'b';
    table['\t'] = 't';
    table['\n'] = 'n';
    table['\f'] = 'f';
    table['\r'] = 'r';
    table['"'] = '"';
    table['\\'] = '\\';
    return table;
}();

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::size_t longest_character = 4;

/// Valid UTF-8 without its quotes.
void append_escaped(std::string& out, std::string_view text) {
    std::size_t run = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const char escape = escapes[byte];
        if (escape == 0) continue;
        out += text.substr(run, i - run);
        run = i + 1;
        out += '\\';
        out += escape;
        if (escape == 'u') {
            constexpr std::string_view digits = "0123456789abcdef";
            out += "00";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    out += text.substr(run);
}

void append_repaired(std::string& out, std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_character_length(text);
        append_escaped(out, length == 0 ? replacement : text.substr(0, length));
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
}

}  // namespace

bool is_utf8(std::string_view text) {
    const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
    return ascii || simdjson::validate_utf8(text);
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    if (is_utf8(text)) {
        append_escaped(out, text);
    } else {
        append_repaired(out, text);
    }
    out += '"';
}

void append_json_number(std::string& out, std::uint64_t number) {
    const fmt::format_int digits(number);
    out.append(digits.data(), digits.size());
}

std::size_t utf8_character_length(std::string_view text) {
    for (std::size_t n = 1; n <= std::min(longest_character, text.size()); ++n) {
        if (simdjson::validate_utf8(text.data(), n)) return n;
    }
    return 0;
}

}  // namespace muster
