// The text forms declared in text.hpp. Dates are written digit by digit: they are made for every request.
#include "samples/tenant/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tenant {
namespace {

using std::chrono::days;
using std::chrono::floor;

/// Appends `value` in exactly `width` digits.
void append_digits(std::string& out, unsigned value, int width) {
    std::array<char, 10> digits{};
    for (int i = width - 1; i >= 0; --i) {
        digits[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
    out.append(digits.data(), static_cast<std::size_t>(width));
}

struct Parts {
    std::chrono::year_month_day day;
    std::chrono::weekday weekday;
    unsigned hour, minute, second, milli;
};

Parts parts_of(Wall at) {
    const auto day = floor<days>(at);
    const auto rest = static_cast<unsigned>((at - day).count());
    return {std::chrono::year_month_day{day},
            std::chrono::weekday{day},
            rest / 3'600'000,
            rest / 60'000 % 60,
            rest / 1000 % 60,
            rest % 1000};
}

void append_date(std::string& out, const Parts& parts) {
    append_digits(out, static_cast<unsigned>(static_cast<int>(parts.day.year())), 4);
    out += '-';
    append_digits(out, static_cast<unsigned>(parts.day.month()), 2);
    out += '-';
    append_digits(out, static_cast<unsigned>(parts.day.day()), 2);
}

char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The value of a hexadecimal digit, or -1.
int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// The value of a base64url digit, or -1.
int base64url_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

}  // namespace

std::string iso_text(Wall at) {
    const auto parts = parts_of(at);
    std::string out;
    out.reserve(24);
    append_date(out, parts);
    out += 'T';
    append_digits(out, parts.hour, 2);
    out += ':';
    append_digits(out, parts.minute, 2);
    out += ':';
    append_digits(out, parts.second, 2);
    out += '.';
    append_digits(out, parts.milli, 3);
    out += 'Z';
    return out;
}

std::string date_text(Wall at) {
    std::string out;
    append_date(out, parts_of(at));
    return out;
}

std::string http_date(Wall at) {
    static constexpr std::array<const char*, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto parts = parts_of(at);
    return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", weekdays[parts.weekday.c_encoding()],
                       static_cast<unsigned>(parts.day.day()),
                       months[static_cast<unsigned>(parts.day.month()) - 1],
                       static_cast<int>(parts.day.year()), parts.hour, parts.minute, parts.second);
}

std::string json_string(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    out += '"';
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20) continue;
        out += text.substr(copied, i - copied);
        copied = i + 1;
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default: out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        }
    }
    out += text.substr(copied);
    out += '"';
    return out;
}

std::string json_or_null(std::string_view text) {
    return text.empty() ? "null" : json_string(text);
}

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), ascii_lower);
    return out;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, ascii_lower, ascii_lower);
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : hex_value(text[i]) < 0) return false;
    }
    return true;
}

bool is_digits(std::string_view text, std::size_t longest) {
    return !text.empty() && text.size() <= longest &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::size_t code_points(std::string_view utf8) {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::optional<std::string> percent_decoded(std::string_view text) {
    if (text.find('%') == std::string_view::npos) return std::string(text);
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_value(text[i + 1]);
        const int low = hex_value(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return out;
}

std::optional<std::string> base64url_decoded(std::string_view text) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() * 3 / 4);
    std::uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        const int value = base64url_value(c);
        if (value < 0) return std::nullopt;
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>(bits >> held & 0xFF);
        }
    }
    if ((bits & ((1U << held) - 1)) != 0) return std::nullopt;
    return out;
}

std::string uuid_text(std::uint64_t high, std::uint64_t low) {
    high = (high & ~0xF000ULL) | 0x4000ULL;
    low = (low & ~(0xC0ULL << 56)) | (0x80ULL << 56);
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xFFFF, high & 0xFFFF,
                       low >> 48, low & 0xFFFF'FFFF'FFFFULL);
}

}  // namespace tenant
