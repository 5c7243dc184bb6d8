#include "engine/text.hpp"

#include "engine/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace muster {
namespace {

bool is_continuation(char c) noexcept {
    return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

bool is_ignored_in_names(char c) noexcept {
    return c == ' ' || c == '-' || c == '_';
}

// Lower case, without what people vary in names; at most 64 bytes.
std::size_t fold(std::string_view word, std::array<char, 64>& out) noexcept {
    std::size_t n = 0;
    for (const char c : word) {
        if (is_ignored_in_names(c)) continue;
        if (n == out.size()) return n + 1;
        out[n++] = ascii_lower(c);
    }
    return n;
}

// C1 controls (U+0080 to U+009F) are escape sequences for some terminals; in UTF-8 they are C2 80 to C2 9F.
bool is_c1_control(std::string_view text, std::size_t at) noexcept {
    return text[at] == '\xC2' && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0U;
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    const auto same_letter = [](char x, char y) { return ascii_lower(x) == ascii_lower(y); };
    return a.size() == b.size() && (a == b || std::equal(a.begin(), a.end(), b.begin(), same_letter));
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), ascii_lower);
    return out;
}

std::size_t character_count(std::string_view utf8) noexcept {
    return utf8.size() - static_cast<std::size_t>(std::ranges::count_if(utf8, is_continuation));
}

std::size_t edit_distance(std::string_view a, std::string_view b) noexcept {
    std::array<char, 64> x{}, y{};
    const std::size_t n = fold(a, x), m = fold(b, y);
    if (n > x.size() || m > y.size()) return 64;
    std::array<std::size_t, 65> row{};
    for (std::size_t j = 0; j <= m; ++j) row[j] = j;
    for (std::size_t i = 1; i <= n; ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= m; ++j) {
            const std::size_t substituted = diagonal + (x[i - 1] == y[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[m];
}

std::string describe_character(std::string_view within, char c) {
    if (c == ' ') return "a space";
    if (c == '\n' || c == '\r') return "a line break";
    if (c == '\t') return "a tab";
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7F')
        return fmt::format("the control character 0x{:02X}", static_cast<unsigned char>(c));
    std::size_t at = within.find(c);
    std::size_t length = 1;
    while (at + length < within.size() && is_continuation(within[at + length])) ++length;
    return fmt::format("the character '{}'", printable(within.substr(at, length)));
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        if (out.size() >= limit) return out + "…";
        const char c = text[i];
        const auto byte = static_cast<unsigned char>(c);
        const std::size_t length = byte < 0x80 ? 1 : utf8_character_length(text.substr(i));
        if (c == '\n')
            out += "\\n";
        else if (c == '\r')
            out += "\\r";
        else if (c == '\t')
            out += "\\t";
        else if (byte < 0x20 || c == '\x7F' || length == 0)
            out += fmt::format("\\x{:02x}", byte);
        else if (is_c1_control(text, i))
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(text[i + 1]));
        else
            out += text.substr(i, length);
        i += std::max<std::size_t>(length, 1);
    }
    return out;
}

std::string kept_text(std::string_view text, std::size_t limit) {
    if (text.size() <= limit && is_utf8(text)) return std::string(text);
    std::string out;
    while (!text.empty()) {
        const std::size_t length = utf8_character_length(text);
        const std::string_view character = length == 0 ? "\uFFFD" : text.substr(0, length);
        if (out.size() + character.size() > limit) break;
        out += character;
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

}  // namespace muster
