// A job as the engine sees it: records come from a reader (CSV or JSONL), a row mapper makes rows of them and
// says what is wrong with those that are none. Views are the rule: a pass over a job copies nothing.
#pragma once

#include "engine/error.hpp"
#include "engine/operation.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

/// One value of a record. `json` marks a JSONL value that is not a string: `text` is then its JSON source.
struct cell {
    std::string_view text;
    bool json = false;
};

/// One data record of a job file as its reader found it. All views are valid until the reader's next call.
struct record {
    std::uint64_t line = 0;               ///< the line on which it starts; the first line is 1
    std::vector<std::string_view> names;  ///< column names, one for each cell (CSV: the header row's)
    bool names_as_before = false;         ///< they are those of the record that was here before
    std::vector<cell> cells;
    std::string problem;     ///< not empty: the record is malformed (too few fields, bad UTF-8, bad JSON …)
    std::string column;      ///< with a problem: the column it was found in, where that is known
    bool misshapen = false;  ///< with a problem: it breaks a rule of CSV's; others may find its end elsewhere
};

/// A row, borrowed from a record.
struct row_view {
    std::uint64_t index = 0;  ///< its position among the job's records, from 0: the row's identity
    std::uint64_t line = 0;
    operation_id operation = operation_id::assign;
    std::array<std::string_view, field_count> fields{};  ///< empty: not given

    [[nodiscard]] std::string_view get(field f) const noexcept { return fields[static_cast<std::size_t>(f)]; }
    /// The serial that orders it (token or device).
    [[nodiscard]] std::string_view subject() const noexcept { return get(operation_of(operation).subject); }
};

/// A row that owns its text, in one allocation.
class row {
  public:
    row() = default;
    explicit row(const row_view& view);

    [[nodiscard]] std::uint64_t index() const noexcept { return index_; }
    [[nodiscard]] std::uint64_t line() const noexcept { return line_; }
    [[nodiscard]] operation_id operation() const noexcept { return operation_; }
    [[nodiscard]] std::string_view get(field f) const noexcept;
    [[nodiscard]] std::string_view subject() const noexcept { return get(operation_of(operation_).subject); }
    [[nodiscard]] row_view view() const noexcept;

  private:
    std::uint64_t index_ = 0;
    std::uint64_t line_ = 0;
    operation_id operation_ = operation_id::assign;
    std::array<std::uint32_t, field_count + 1> ends_{};
    std::string text_;
};

/// What orders rows among each other: a 128-bit fingerprint of the subject (kind and serial).
struct subject_key {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend bool operator==(const subject_key&, const subject_key&) = default;
};
subject_key subject_of(const row_view& r) noexcept;
struct subject_hash {
    std::size_t operator()(const subject_key& k) const noexcept { return static_cast<std::size_t>(k.low); }
};

/// Why a record is not a row that can be sent.
struct row_problem {
    std::string column;  ///< may be empty where no single column is at fault
    std::string reason;  ///< a clause: "is longer than 36 characters"
    [[nodiscard]] std::string text() const;
};

/// How a job file's columns are to be understood.
struct column_options {
    std::map<std::string, std::string> map;  ///< field name → column name (`--map`)
    std::string operation;                   ///< for a file without that column (`--operation`)
};

/// Makes rows of records. One mapper serves one pass over one job.
class row_mapper {
  public:
    /// Fails (usage) when an option names an unknown field or operation.
    static result<row_mapper> create(const column_options& options);

    /// Checks a header row before any record is mapped: every field that all rows need must have its column,
    /// no field two of them. The message names what is missing and a misspelt column that is near.
    [[nodiscard]] result<void> check_header(const std::vector<std::string_view>& names) const;

    /// Columns that look like a misspelt field (they would travel along unused): pairs of column and field.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> suspicious_columns(
        const std::vector<std::string_view>& names) const;

    /// Fills `out` (index and line included) or says what is wrong. `out` borrows from `from`.
    [[nodiscard]] std::optional<row_problem> map(const record& from, std::uint64_t index, row_view& out);

  private:
    static constexpr std::int8_t unknown_column = -1;
    static constexpr std::int8_t operation_column = -2;
    [[nodiscard]] std::int8_t meaning(std::string_view column) const;
    void learn_names(const std::vector<std::string_view>& names);

    std::array<std::string, field_count> column_names_;
    std::string operation_column_name_;
    const operation* fixed_operation_ = nullptr;
    std::vector<std::string> seen_names_;     // the names of the last record and what they meant:
    std::vector<std::int8_t> seen_meanings_;  // records of one file are nearly always alike
};

}  // namespace muster
