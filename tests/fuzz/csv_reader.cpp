// The CSV reader: the same reading in pieces of any size; what the slow reference reads; what is written again is read
// again; and what the row mapper accepts makes well-formed requests.
#include "io/csv_writer.hpp"
#include "io/record_reader.hpp"
#include "tests/fuzz/rows_of_records.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/csv_reference.hpp"
#include "tests/support/read_records.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace muster::fuzz;
using namespace muster::test;

namespace {

void compare_with_reference(std::string_view text, const reading& all) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    csv_reference expected(text);
    require(expected.next().has_value(), "the reference finds the header");
    for (const read_record& each : all.records) {
        const auto want = expected.next();
        require(want.has_value(), "no more records than the reference finds");
        require(each.line == want->line, "a record is on the reference's line");
        require(!want->bad || !each.problem.empty(), "what the reference refuses is refused");
        for (std::size_t i = 0; i < std::min(each.cells.size(), want->cells.size()); ++i)
            require(each.cells[i] == want->cells[i], "cells are the reference's");
        if (!each.problem.empty()) continue;
        require(each.names == all.columns, "a good record has the header's names");
        require(each.cells.size() == each.names.size(), "a good record has a cell for each name");
        for (std::size_t i = each.cells.size(); i < want->cells.size(); ++i)
            require(want->cells[i].empty(), "nothing but empty cells is dropped");
    }
    require(!expected.next().has_value(), "as many records as the reference finds");
    require(all.failure.empty() == !expected.unclosed, "only an unclosed quote ends the reading");
    require(all.failure.empty() || all.failure.starts_with(fmt::format("job:{}:", expected.unclosed_line)),
            "an unclosed quote is told with its line");
}

/// Why a header is no text is guessed from what was read so far, so only that may be told differently.
bool same(const reading& a, const reading& b) {
    const bool no_header = a.columns.empty() && !a.failure.empty() && b.columns.empty() && !b.failure.empty();
    return no_header || a == b;
}

std::string written(const reading& all) {
    std::string out;
    append_csv_record(out, std::vector<std::string_view>(all.columns.begin(), all.columns.end()));
    for (const read_record& each : all.records)
        if (each.problem.empty())
            append_csv_record(out, std::vector<std::string_view>(each.cells.begin(), each.cells.end()));
    return out;
}

void check_written(const reading& all) {
    const reading again = read_all(make_csv_reader, written(all));
    require(again.failure.empty() && again.columns == all.columns, "what is written has the same header");
    auto found = again.records.begin();
    for (const read_record& each : all.records) {
        if (!each.problem.empty()) continue;
        require(found != again.records.end() && found->problem.empty() && found->cells == each.cells,
                "what is written is read again");
        ++found;
    }
    require(found == again.records.end(), "nothing else is read again");
}

void check_rows(std::string_view text) {
    memory_source source{std::string(text)};
    const auto reader = make_csv_reader(source, "job");
    auto mapper = row_mapper::create({});
    record each;
    for (std::uint64_t index = 0;; ++index) {
        const auto found = reader->next(each);
        if (!found || !*found) break;
        if (index == 0) {
            (void)mapper->check_header(each.names);
            (void)mapper->suspicious_columns(each.names);
        }
        check_row(*mapper, each, index);
    }
}

}  // namespace

FUZZ_TARGET(csv_reader) {
    const reading whole = read_all(make_csv_reader, std::string(input));
    for (const std::size_t chunk : {std::size_t{1}, 3 + input.size() % 97})
        require(same(read_all(make_csv_reader, std::string(input), chunk), whole), "chunks of any size read the same");
    require(same(read_csv_in_place(input), whole), "in place it reads the same");
    check_rows(input);
    if (whole.columns.empty() || (whole.records.empty() && !whole.failure.empty())) return;
    compare_with_reference(input, whole);
    check_written(whole);
}
