#include "io/report_format.hpp"

#include "engine/json_text.hpp"
#include "engine/text.hpp"
#include "io/csv_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace muster {
namespace {

constexpr std::array<std::string_view, 10> result_columns{"line",       "outcome", "httpStatus", "attempts",
                                                          "time",       "state",   "changedAt",  "changedBy",
                                                          "credential", "message"};

// Ours step aside where the job file has a column of the same name.
std::vector<std::string> result_names(const std::vector<std::string>& columns) {
    std::vector<std::string> names;
    for (const auto ours : result_columns) {
        std::string name(ours);
        const auto taken = [&](const std::string& c) { return equal_ignoring_case(c, name); };
        while (std::ranges::any_of(columns, taken)) name = "muster_" + name;
        names.push_back(std::move(name));
    }
    return names;
}

// Empty where there is none.
void set_time(std::string& text, const row_outcome& o) {
    text.clear();
    if (o.result != outcome::pending && o.at != wall_time{}) append_iso(text, o.at);
}

std::string number_or_nothing(unsigned n) {
    return n == 0 ? std::string() : std::to_string(n);
}

// The value of a column in this record; nothing where the record does not have it. Records of one file are
// alike, so the same place is looked at first.
const cell* find_cell(const record& from, std::size_t place, std::string_view column) {
    const std::size_t n = std::min(from.names.size(), from.cells.size());
    if (place < n && from.names[place] == column) return &from.cells[place];
    for (std::size_t i = 0; i < n; ++i)
        if (from.names[i] == column) return &from.cells[i];
    return nullptr;
}

std::string_view csv_value(const cell* c) {
    if (c == nullptr || (c->json && c->text == "null")) return {};
    return c->text;
}

void append_cell(std::string& out, const cell& c) {
    if (c.json)
        out += c.text;
    else
        append_json_string(out, c.text);
}

void append_members(std::string& out, const record& from) {
    const std::size_t n = std::min(from.names.size(), from.cells.size());
    for (std::size_t i = 0; i < n; ++i) {
        if (i > 0) out += ',';
        append_json_string(out, from.names[i]);
        out += ':';
        append_cell(out, from.cells[i]);
    }
}

// Spreadsheets take a cell for a formula by its first character; the wide forms count in some of them.
bool looks_like_formula(std::string_view text) {
    if (text.empty()) return false;
    if (std::string_view("=+-@\t\r\n|%").find(text.front()) != std::string_view::npos) return true;
    constexpr std::array<std::string_view, 4> wide{"\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"};
    return std::ranges::any_of(wide, [&](std::string_view w) { return text.starts_with(w); });
}

class csv_format final : public report_format {
  public:
    csv_format(std::vector<std::string> columns, report_kind kind)
        : columns_(std::move(columns)),
          as_job_(kind == report_kind::job_csv),
          for_spreadsheet_(kind == report_kind::spreadsheet) {}

    void begin(std::string& out) override {
        std::vector<std::string_view> names(columns_.begin(), columns_.end());
        const auto ours = result_names(columns_);
        if (!as_job_) names.insert(names.end(), ours.begin(), ours.end());
        append(out, names);
    }

    void row(std::string& out, const report_row& r) override {
        fields_.clear();
        for (std::size_t i = 0; i < columns_.size(); ++i)
            fields_.push_back(csv_value(find_cell(r.from, i, columns_[i])));
        if (as_job_) return append_csv_record(out, fields_);
        const row_outcome& o = r.what;
        const auto line = std::to_string(r.from.line), status = number_or_nothing(o.status),
                   attempts = number_or_nothing(o.attempts);
        set_time(time_, o);
        for (const std::string_view value :
             {std::string_view(line), name_of(o.result), std::string_view(status), std::string_view(attempts),
              std::string_view(time_), std::string_view(o.details.state),
              std::string_view(o.details.changed_at), std::string_view(o.details.changed_by),
              std::string_view(o.details.token_serial), std::string_view(o.message)})
            fields_.push_back(value);
        append(out, fields_);
    }

  private:
    void append(std::string& out, std::vector<std::string_view>& fields) {
        if (for_spreadsheet_) {
            harmless_.resize(fields.size());
            for (std::size_t i = 0; i < fields.size(); ++i)
                if (looks_like_formula(fields[i])) fields[i] = harmless_[i] = fmt::format("'{}", fields[i]);
        }
        append_csv_record(out, fields);
    }

    std::vector<std::string> columns_;
    bool as_job_, for_spreadsheet_;
    std::vector<std::string> harmless_;
    std::vector<std::string_view> fields_;
    std::string time_;
};

class jsonl_format final : public report_format {
  public:
    jsonl_format(const std::vector<std::string>& columns, bool as_job)
        : names_(result_names(columns)), as_job_(as_job) {}

    void row(std::string& out, const report_row& r) override {
        out += '{';
        append_members(out, r.from);
        if (!as_job_) append_result(out, r, !r.from.cells.empty());
        out += "}\n";
    }

  private:
    void append_result(std::string& out, const report_row& r, bool more) {
        const row_outcome& o = r.what;
        const auto text = [&](std::size_t name, std::string_view value) {
            if (value.empty()) return;
            key(out, name, more);
            append_json_string(out, value);
        };
        const auto number = [&](std::size_t name, std::uint64_t value) {
            key(out, name, more);
            append_json_number(out, value);
        };
        number(0, r.from.line);
        text(1, name_of(o.result));
        if (o.status > 0) number(2, o.status);
        number(3, o.attempts);
        set_time(time_, o);
        text(4, time_);
        text(5, o.details.state);
        text(6, o.details.changed_at);
        text(7, o.details.changed_by);
        text(8, o.details.token_serial);
        text(9, o.message);
    }
    void key(std::string& out, std::size_t name, bool& more) {
        if (more) out += ',';
        more = true;
        append_json_string(out, names_[name]);
        out += ':';
    }

    std::vector<std::string> names_;
    bool as_job_;
    std::string time_;
};

// The only one that says what a row means, so that the others need not read it again.
class text_format final : public report_format {
  public:
    explicit text_format(row_mapper mapper) : mapper_(std::move(mapper)) {}

    void begin(std::string& out) override {
        out += fmt::format("{:>8}  {:<9}  {:<12}  {:<14}  {:<36}  {}\n", "line", "outcome", "operation",
                           "serial", "user", "message");
    }
    void row(std::string& out, const report_row& r) override {
        row_view read;
        const bool readable = !mapper_.map(r.from, r.what.row, read);
        const auto operation = readable ? operation_of(read.operation).name : std::string_view("?");
        auto serial = readable ? read.subject() : read.get(field::token_serial);
        if (serial.empty()) serial = read.get(field::device_serial);
        const auto line = fmt::format("{:>8}  {:<9}  {:<12}  {:<14}  {:<36}  {}", r.from.line,
                                      name_of(r.what.result), operation, printable(serial, 36),
                                      printable(read.get(field::user_id), 36), note_of(r.what));
        out.append(line, 0, line.find_last_not_of(' ') + 1);
        out += '\n';
    }

  private:
    static std::string note_of(const row_outcome& o) {
        if (!o.message.empty()) return printable(o.message, 400);
        return printable(o.details.state, 40);
    }

    row_mapper mapper_;
};

}  // namespace

std::unique_ptr<report_format> make_report_format(report_kind kind, std::vector<std::string> columns,
                                                  row_mapper mapper) {
    switch (kind) {
        case report_kind::text: return std::make_unique<text_format>(std::move(mapper));
        case report_kind::csv:
        case report_kind::spreadsheet:
        case report_kind::job_csv: return std::make_unique<csv_format>(std::move(columns), kind);
        case report_kind::jsonl: return std::make_unique<jsonl_format>(columns, false);
        case report_kind::job_jsonl: return std::make_unique<jsonl_format>(columns, true);
    }
    return nullptr;
}

}  // namespace muster
