// See the header. simdjson's on-demand parser checks what it is asked for; what is kept as source without
// being asked for (numbers, nested values) is checked here, since it goes into reports as JSON.
#include "io/json_line.hpp"

#include "engine/json_text.hpp"
#include "io/record_buffer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace muster {
namespace {

static_assert(record_buffer::padding >= simdjson::SIMDJSON_PADDING);

std::string_view without_trailing_space(std::string_view text) {
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::size_t digits_at(std::string_view text, std::size_t from) {
    std::size_t n = 0;
    while (from + n < text.size() && text[from + n] >= '0' && text[from + n] <= '9') ++n;
    return n;
}

/// The grammar of RFC 8259, of any size: numbers are not computed with.
bool is_number(std::string_view text) {
    std::size_t at = text.starts_with('-') ? 1 : 0;
    const std::size_t whole = digits_at(text, at);
    if (whole == 0 || (whole > 1 && text[at] == '0')) return false;
    at += whole;
    if (at < text.size() && text[at] == '.') {
        const std::size_t fraction = digits_at(text, at + 1);
        if (fraction == 0) return false;
        at += 1 + fraction;
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
        const std::size_t exponent = digits_at(text, at);
        if (exponent == 0) return false;
        at += exponent;
    }
    return at == text.size();
}

bool is_scalar(std::string_view text) {
    return text == "true" || text == "false" || text == "null" || is_number(text);
}

std::string_view reason(simdjson::error_code why) {
    switch (why) {
        case simdjson::UTF8_ERROR: return "this is not UTF-8 text";
        case simdjson::UNCLOSED_STRING: return "the string that opens here is not closed";
        case simdjson::UNESCAPED_CHARS: return "a control character within a string must be escaped";
        case simdjson::STRING_ERROR: return "this string has an escape that is not valid";
        case simdjson::NUMBER_ERROR: return "this is neither a number nor true, false, null or a string";
        case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
            return "the line does not end with the bracket that closes the object";
        case simdjson::TRAILING_CONTENT: return "there is text behind the object";
        case simdjson::DEPTH_ERROR: return "this is nested too deeply";
        default: return "a comma, colon, quote or bracket is missing or out of place";
    }
}

std::ptrdiff_t characters(std::string_view text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

std::size_t utf8_prefix(std::string_view text) {
    std::size_t at = 0;
    while (const std::size_t n = utf8_character_length(text.substr(at))) at += n;
    return at;
}

/// Where a string holds a bare control character, or else where the string opens that is not closed.
std::size_t string_fault(std::string_view line) {
    std::size_t open = std::string_view::npos;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (open == std::string_view::npos) {
            if (line[i] == '"') open = i;
        } else if (line[i] == '\\') {
            ++i;
        } else if (line[i] == '"') {
            open = std::string_view::npos;
        } else if (static_cast<unsigned char>(line[i]) < 0x20) {
            return i;
        }
    }
    return open;
}

}  // namespace

json_line_parser::json_line_parser() {
    columns_.reserve(max_columns);
    seen_in_.reserve(max_columns);
}

void json_line_parser::parse(std::string_view line, record& out) {
    ++line_;
    out.names.clear();
    out.cells.clear();
    this_line_.clear();
    unkept_.clear();
    token_at_fault_ = false;
    any_escape_ = std::memchr(line.data(), '\\', line.size()) != nullptr;
    const error_code why = parse_object(line, out);
    if (why != simdjson::SUCCESS) explain(why, line, out);
    std::swap(this_line_, last_line_);
}

simdjson::error_code json_line_parser::parse_object(std::string_view line, record& out) {
    if (parser_.capacity() < line.size()) {
        const std::size_t capacity = std::max(2 * line.size(), std::size_t{4096});
        if (const auto why = parser_.allocate(capacity)) return why;
    }
    const simdjson::padded_string_view padded(line, line.size() + simdjson::SIMDJSON_PADDING);
    if (const auto why = parser_.iterate(padded).get(document_)) return why;
    simdjson::ondemand::object object;
    if (const auto why = document_.get_object().get(object)) return why;
    for (auto each : object) {
        if (const auto why = each.error()) return why;
        field& from = each.value_unsafe();
        if (const auto why = add_field(from, line, out)) return why;
        if (!out.problem.empty()) return simdjson::SUCCESS;
    }
    const auto rest = document_.current_location();
    return rest.error() == simdjson::OUT_OF_BOUNDS ? simdjson::SUCCESS : simdjson::TRAILING_CONTENT;
}

simdjson::error_code json_line_parser::add_field(field& from, std::string_view line, record& out) {
    const char* key = from.key().raw();
    const auto rest = line.substr(static_cast<std::size_t>(key - line.data()));
    if (!add_expected_name(rest, out)) {
        std::string_view name;
        token_ = key - 1;
        token_at_fault_ = true;
        if (const auto why = from.unescaped_key().get(name)) return why;
        if (!simdjson::validate_utf8(name)) return simdjson::STRING_ERROR;  // half a surrogate pair
        token_at_fault_ = false;
        if (!add_name(name, out)) {
            out.problem = "is there twice";
            out.column = name;
            return simdjson::SUCCESS;
        }
    }
    return add_value(from.value(), out);
}

/// Whether the key that `rest` starts with is the one at this place in the line before; takes it if so.
/// Compared is the source, so a name that needs escapes is never taken for expected.
bool json_line_parser::add_expected_name(std::string_view rest, record& out) {
    const std::size_t place = this_line_.size();
    if (place != out.names.size() || place >= last_line_.size()) return false;
    const std::uint32_t column = last_line_[place];
    const std::string& name = columns_[column];
    if (any_escape_ && name.find('\\') != std::string::npos) return false;
    if (rest.size() <= name.size() || rest[name.size()] != '"' || !rest.starts_with(name)) return false;
    return seen_in_[column] != line_ && add_column(column, out);
}

/// False when the line has that name already.
bool json_line_parser::add_name(std::string_view name, record& out) {
    if (const auto found = index_.find(name); found != index_.end()) return add_column(found->second, out);
    if (columns_.size() == max_columns) {
        out.names.push_back(name);
        return unkept_.insert(name).second;
    }
    const auto column = static_cast<std::uint32_t>(columns_.size());
    columns_.emplace_back(name);
    seen_in_.push_back(0);
    index_.emplace(columns_.back(), column);
    return add_column(column, out);
}

bool json_line_parser::add_column(std::uint32_t column, record& out) {
    if (std::exchange(seen_in_[column], line_) == line_) return false;
    this_line_.push_back(column);
    out.names.emplace_back(columns_[column]);
    return true;
}

simdjson::error_code json_line_parser::add_value(value& from, record& out) {
    const std::string_view token = without_trailing_space(from.raw_json_token());
    token_ = token.data();
    if (token.starts_with('{') || token.starts_with('[')) return add_nested(from, token.front() == '[', out);
    token_at_fault_ = true;
    if (!token.starts_with('"')) {
        if (!is_scalar(token)) return simdjson::NUMBER_ERROR;
        out.cells.push_back({token, true});
    } else if (token.size() < 2 || token.back() != '"') {
        return simdjson::STRING_ERROR;
    } else if (!any_escape_ || token.find('\\') == std::string_view::npos) {
        out.cells.push_back({token.substr(1, token.size() - 2), false});
    } else {
        std::string_view text;
        if (const auto why = from.get_string().get(text)) return why;
        if (!simdjson::validate_utf8(text)) return simdjson::STRING_ERROR;  // half a surrogate pair
        out.cells.push_back({text, false});
    }
    token_at_fault_ = false;
    return simdjson::SUCCESS;
}

simdjson::error_code json_line_parser::add_nested(value& from, bool array, record& out) {
    std::string_view text;
    if (array) {
        simdjson::ondemand::array inner;
        if (const auto why = from.get_array().get(inner)) return why;
        if (const auto why = inner.raw_json().get(text)) return why;
    } else {
        simdjson::ondemand::object inner;
        if (const auto why = from.get_object().get(inner)) return why;
        if (const auto why = inner.raw_json().get(text)) return why;
    }
    text = without_trailing_space(text);
    token_at_fault_ = true;
    if (const auto why = nested_parser_.parse(text.data(), text.size(), false).error()) return why;
    token_at_fault_ = false;
    out.cells.push_back({text, true});
    return simdjson::SUCCESS;
}

void json_line_parser::explain(error_code why, std::string_view line, record& out) {
    if (why == simdjson::INCORRECT_TYPE) {
        out.problem = "is not a JSON object; a line of the job file holds one object";
    } else {
        const std::size_t offset = fault_offset(why, line);
        out.problem = fmt::format("is not valid JSON at character {}: {}",
                                  characters(line.substr(0, offset)) + 1, reason(why));
        if (token_at_fault_ && out.names.size() > out.cells.size()) out.column = out.names.back();
    }
    out.names.clear();
    out.cells.clear();
}

std::size_t json_line_parser::fault_offset(error_code why, std::string_view line) {
    const char* at = line.data();
    if (why == simdjson::INCOMPLETE_ARRAY_OR_OBJECT) {
        at += line.size();
    } else if (why == simdjson::UTF8_ERROR) {
        at += utf8_prefix(line);
    } else if (why == simdjson::UNESCAPED_CHARS || why == simdjson::UNCLOSED_STRING) {
        at += std::min(string_fault(line), line.size());
    } else if (token_at_fault_) {
        at = token_;
    } else if (document_.current_location().get(at) != simdjson::SUCCESS) {
        at = line.data() + line.size();
    }
    return std::min(static_cast<std::size_t>(at - line.data()), line.size());
}

}  // namespace muster
