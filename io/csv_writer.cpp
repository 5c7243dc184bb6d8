// See the header. There is one way of quoting only, so that the same job always gives the same report.
#include "io/csv_writer.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace muster {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// For each byte whether it needs quotes wherever it stands. (string_view::find_first_of() would look for each
// byte among the four, by a call.)
constexpr std::array<bool, 256> quoted_everywhere = [] {
    std::array<bool, 256> table{};
    for (const char c : {',', '"', '\r', '\n'}) table[static_cast<unsigned char>(c)] = true;
    return table;
}();

// Whether there is a byte before '-': all that ask for quotes are, and none that serials, UUIDs and dates are
// made of. Eight at a time: of a byte that is less, or follows one, what is left of the difference is
// negative.
bool may_need_quotes(std::string_view text) {
    constexpr std::uint64_t each = 0x0101'0101'0101'0101, highest_bits = 0x80 * each;
    std::uint64_t less = 0;
    for (; text.size() >= sizeof less; text.remove_prefix(sizeof less)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), sizeof word);
        less |= (word - '-' * each) & ~word;
    }
    bool any = (less & highest_bits) != 0;
    for (const char c : text) any = any || static_cast<unsigned char>(c) < '-';
    return any;
}

bool needs_quotes(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) return true;
    if (!may_need_quotes(text)) return false;
    return is_blank(text.front()) || is_blank(text.back()) ||
           std::ranges::any_of(text, [](char c) { return quoted_everywhere[static_cast<unsigned char>(c)]; });
}

}  // namespace

void append_csv_field(std::string& out, std::string_view text) {
    if (!needs_quotes(text)) {
        out += text;
        return;
    }
    out += '"';
    for (;;) {
        const std::size_t quote = text.find('"');
        out += text.substr(0, quote);
        if (quote == std::string_view::npos) break;
        out += "\"\"";
        text.remove_prefix(quote + 1);
    }
    out += '"';
}

void append_csv_record(std::string& out, std::span<const std::string_view> fields) {
    if (fields.size() == 1 && fields.front().empty()) out += "\"\"";
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (i != 0) out += ',';
        append_csv_field(out, fields[i]);
    }
    out += '\n';
}

}  // namespace muster
