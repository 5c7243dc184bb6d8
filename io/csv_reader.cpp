// The CSV side of record_reader: gives the scanner's fields their column names, checks that they are text,
// and says in plain words what is wrong. A record is either right or reported whole: nothing is guessed or
// repaired. Columns that end the header row without a name, as spreadsheets write them, are dropped if they
// hold nothing.
#include "io/csv_scanner.hpp"
#include "io/not_text.hpp"
#include "io/record_buffer.hpp"
#include "io/record_reader.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace muster {
namespace {

std::string_view clause(csv_fault fault) {
    switch (fault) {
        case csv_fault::bare_quote:
            return "has a quote inside a field that does not start with one; quote the field and double the "
                   "quotes in it";
        case csv_fault::text_behind_quote:
            return "has text behind its closing quote; a quote inside a quoted field must be doubled";
        case csv_fault::bare_cr: return "has a carriage return without a line feed outside quotes";
        case csv_fault::nul: return "has a NUL byte";
        case csv_fault::none: break;
    }
    return {};
}

std::string_view plural(std::size_t n) {
    return n == 1 ? "" : "s";
}

/// Makes doubled quotes single, in place; the text becomes shorter.
std::string_view undouble(char* begin, char* end) {
    char* to = begin;
    for (const char* from = begin; from != end; ++from) {
        *to++ = *from;
        if (*from == '"') ++from;
    }
    return {begin, static_cast<std::size_t>(to - begin)};
}

class csv_reader final : public record_reader {
  public:
    csv_reader(record_buffer buffer, std::string name)
        : name_(std::move(name)), buffer_(std::move(buffer)), scanner_(buffer_) {}

    result<bool> next(record& out) override {
        if (failure_) return *failure_;
        auto found = has_header_ ? read_record(out) : read_first(out);
        if (!found) failure_ = found.error();
        return found;
    }

    const std::vector<std::string>& columns() const noexcept override { return columns_; }
    std::uint64_t header_line() const noexcept override { return header_line_; }

  private:
    error bad(std::uint64_t line, std::string_view what) const {
        return {errc::bad_job, fmt::format("{}:{}: {}", name_, line, what)};
    }

    result<bool> read_first(record& out) {
        if (auto started = buffer_.start(); !started) return started.error();
        const auto found = find_record();
        if (!found) return found.error();
        if (!*found) return bad(line_, "there is no header row");
        header_line_ = line_;
        if (auto read = read_header(); !read) return read.error();
        has_header_ = true;
        return read_record(out);
    }

    result<bool> read_record(record& out) {
        out.problem.clear();
        out.column.clear();
        out.misshapen = false;
        const auto found = find_record();
        if (!found) return found.error();
        out.line = line_;
        if (*found) fill(out);
        return *found;
    }

    /// Passes over the last record and blank lines; false at the end. `line_` is the found record's.
    result<bool> find_record() {
        for (;;) {
            if (passing_) {
                scanner_.pass();
                line_ += scanner_.line_breaks() + 1;
            }
            passing_ = false;
            const auto end = scanner_.scan();
            if (!end) return end.error();
            switch (*end) {
                case csv_end::record: passing_ = true; return true;
                case csv_end::blank_line: passing_ = true; break;
                case csv_end::end_of_data: return false;
                case csv_end::unclosed_quote: return unclosed_quote();
                case csv_end::too_long: return too_long();
            }
        }
    }

    error unclosed_quote() const {
        const std::size_t index = scanner_.fields().size();
        const std::string column =
            index < columns_.size() ? fmt::format("column {}: ", columns_[index]) : std::string();
        return bad(line_ + scanner_.line_breaks_before_quote(),
                   column + "the quote that opens here is not closed by the end of the file");
    }

    error too_long() const {
        if (!has_header_ && buffer_.view().find('\0') != std::string_view::npos) {
            return bad(line_, why_not_text(buffer_.view()));
        }
        return bad(line_,
                   fmt::format("the record that starts here is longer than {} bytes; perhaps a closing "
                               "quote is missing",
                               max_record_bytes));
    }

    [[nodiscard]] std::string_view text_of(const csv_field& field) {
        char* begin = buffer_.begin() + field.begin;
        char* end = buffer_.begin() + field.end;
        if (field.doubled) return undouble(begin, end);
        return {begin, field.end - field.begin};
    }

    [[nodiscard]] bool is_utf8() const {
        return scanner_.ascii() || simdjson::validate_utf8(buffer_.begin(), scanner_.length());
    }

    result<void> read_header() {
        if (scanner_.fault() == csv_fault::nul || !is_utf8()) return bad(line_, why_not_text(buffer_.view()));
        if (scanner_.fault() == csv_fault::bare_cr) {
            return bad(line_, "a carriage return alone does not end a line; save the file with LF or CR LF");
        }
        if (scanner_.fault() != csv_fault::none) {
            return bad(line_, fmt::format("column {} of the header row {}", scanner_.fault_field() + 1,
                                          clause(scanner_.fault())));
        }
        for (const csv_field& field : scanner_.fields()) columns_.emplace_back(text_of(field));
        header_fields_ = columns_.size();
        while (!columns_.empty() && columns_.back().empty()) columns_.pop_back();
        if (columns_.empty()) return bad(line_, "the header row names no column");
        names_.assign(columns_.begin(), columns_.end());
        return check_names();
    }

    [[nodiscard]] result<void> check_names() const {
        const auto unnamed = std::find(names_.begin(), names_.end(), "");
        if (unnamed != names_.end()) {
            return bad(line_,
                       fmt::format("column {} of the header row has no name", unnamed - names_.begin() + 1));
        }
        auto sorted = names_;
        std::sort(sorted.begin(), sorted.end());
        const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
        if (twice == sorted.end()) return {};
        return bad(line_, fmt::format("two columns have the name {}", *twice));
    }

    void fill(record& out) {
        const bool utf8 = is_utf8();
        const auto fields = scanner_.fields();
        out.cells.resize(fields.size());
        if (scanner_.any_doubled()) {
            for (std::size_t i = 0; i < fields.size(); ++i) out.cells[i] = {text_of(fields[i]), false};
        } else {
            const char* text = buffer_.begin();
            for (std::size_t i = 0; i < fields.size(); ++i) {
                out.cells[i] = {{text + fields[i].begin, fields[i].end - fields[i].begin}, false};
            }
        }
        out.names_as_before = false;
        if (fields.size() == names_.size() && utf8 && scanner_.fault() == csv_fault::none) {
            const auto same = [](std::string_view a, std::string_view b) { return a.data() == b.data(); };
            out.names_as_before = std::ranges::equal(out.names, names_, same);
            if (!out.names_as_before) out.names = names_;
        } else {
            fill_odd(out, utf8);
        }
    }

    /// A record that has a problem, or values where the header has no names.
    void fill_odd(record& out, bool utf8) {
        const auto is_text = [](const cell& c) { return simdjson::validate_utf8(c.text); };
        if (scanner_.fault() != csv_fault::none) {
            out.misshapen = true;
            report(out, scanner_.fault_field(), clause(scanner_.fault()));
        } else if (!utf8) {
            const auto at = std::find_if_not(out.cells.begin(), out.cells.end(), is_text);
            report(out, static_cast<std::size_t>(at - out.cells.begin()), "is not UTF-8 text");
        } else {
            check_count(out);
        }
        if (out.problem.empty() && out.cells.size() > names_.size()) out.cells.resize(names_.size());
        out.names.assign(names_.begin(), names_.end());
        out.names.resize(out.cells.size());
    }

    void report(record& out, std::size_t index, std::string_view what) const {
        out.problem = what;
        if (index < names_.size()) out.column = names_[index];
    }

    void check_count(record& out) const {
        const std::size_t count = out.cells.size();
        if (count < names_.size() || count > header_fields_) {
            out.problem =
                fmt::format("has {} field{}; the header has {}", count, plural(count), header_fields_);
            return;
        }
        for (std::size_t i = names_.size(); i < count; ++i) {
            if (out.cells[i].text.empty()) continue;
            out.problem = fmt::format("has a value in column {}, which has no name", i + 1);
            return;
        }
    }

    std::string name_;
    record_buffer buffer_;
    csv_scanner scanner_;
    std::optional<error> failure_;
    std::vector<std::string> columns_;
    std::vector<std::string_view> names_;  // of columns_
    std::size_t header_fields_ = 0;        // with the unnamed ones that end the row
    std::uint64_t line_ = 1;
    std::uint64_t header_line_ = 0;
    bool has_header_ = false;
    bool passing_ = false;  // the scanner stands on something to be passed over
};

}  // namespace

std::unique_ptr<record_reader> make_csv_reader(byte_source& source, std::string name) {
    return std::make_unique<csv_reader>(record_buffer(source), std::move(name));
}

std::unique_ptr<record_reader> make_csv_reader_in_place(std::span<char> padded_text, std::string name) {
    return std::make_unique<csv_reader>(record_buffer(padded_text), std::move(name));
}

}  // namespace muster
