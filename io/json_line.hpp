// One line of JSONL, an object, into a record. Strings are unescaped; every other value keeps its JSON
// source, so that a number comes back in a report exactly as it was written. Lines of one file are nearly all
// alike: a key is compared first with the one at the same place in the line before.
#pragma once

#include "engine/job.hpp"

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace muster {

class json_line_parser {
  public:
    /// So many column names are kept in columns(); a record has all of its own nonetheless.
    static constexpr std::size_t max_columns = 1000;

    json_line_parser();

    /// Fills names and cells of `out`, or says in `problem` and `column` why the line is no record. The views
    /// live until the next call and while `line` does. SIMDJSON_PADDING bytes behind the line must be
    /// readable.
    void parse(std::string_view line, record& out);

    [[nodiscard]] const std::vector<std::string>& columns() const noexcept { return columns_; }

  private:
    using field = simdjson::ondemand::field;
    using value = simdjson::ondemand::value;
    using error_code = simdjson::error_code;

    error_code parse_object(std::string_view line, record& out);
    error_code add_field(field& from, std::string_view line, record& out);
    bool add_expected_name(std::string_view rest, record& out);
    bool add_name(std::string_view name, record& out);
    bool add_column(std::uint32_t column, record& out);
    error_code add_value(value& from, record& out);
    error_code add_nested(value& from, bool array, record& out);
    void explain(error_code why, std::string_view line, record& out);
    std::size_t fault_offset(error_code why, std::string_view line);

    simdjson::ondemand::parser parser_;
    simdjson::ondemand::document document_;
    simdjson::dom::parser nested_parser_;
    const char* token_ = nullptr;  // the value being looked at
    bool token_at_fault_ = false;
    bool any_escape_ = false;  // in the line

    std::vector<std::string> columns_;  // never reallocated: records view them
    std::unordered_map<std::string_view, std::uint32_t> index_;
    std::vector<std::uint64_t> seen_in_;    // for each column the last line that had it
    std::vector<std::uint32_t> last_line_;  // the columns of the line before, in its order
    std::vector<std::uint32_t> this_line_;
    std::unordered_set<std::string_view> unkept_;  // this line's names that columns_ has no room for
    std::uint64_t line_ = 0;
};

}  // namespace muster
