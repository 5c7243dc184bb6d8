// See the header. There is one way of quoting only, so that the same job always gives the same report.
#include "io/csv_writer.hpp"

namespace muster {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

bool needs_quotes(std::string_view text) {
    if (text.empty()) return false;
    return is_blank(text.front()) || is_blank(text.back()) || text.starts_with("\xEF\xBB\xBF") ||
           text.find_first_of(",\"\r\n") != std::string_view::npos;
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
