// The JSONL reader: the same reading in pieces of any size; a good record's values are text or valid JSON, its names
// are different; what is written again is read again; and accepted rows make well-formed requests.
#include "engine/json_text.hpp"
#include "io/record_reader.hpp"
#include "tests/fuzz/rows_of_records.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/read_records.hpp"

#include <algorithm>
#include <string>
#include <string_view>

using namespace muster;
using namespace muster::fuzz;
using namespace muster::test;

namespace {

std::string written(const read_record& from) {
    std::string line;
    for (std::size_t i = 0; i < from.names.size(); ++i) {
        line += i == 0 ? '{' : ',';
        append_json_string(line, from.names[i]);
        line += ':';
        if (from.json[i])
            line += from.cells[i];
        else
            append_json_string(line, from.cells[i]);
    }
    return (line.empty() ? "{" : line) + "}\n";
}

void check_record(const read_record& each) {
    if (!each.problem.empty()) return;
    require(each.names.size() == each.cells.size(), "a good record has a cell for each name");
    auto names = each.names;
    std::ranges::sort(names);
    require(std::ranges::adjacent_find(names) == names.end(), "no name is there twice");
    for (std::size_t i = 0; i < each.cells.size(); ++i) {
        require(simdjson::validate_utf8(each.names[i]), "names are UTF-8");
        require(simdjson::validate_utf8(each.cells[i]), "values are UTF-8");
    }
}

void check_written(const reading& all) {
    std::string text;
    for (const read_record& each : all.records)
        if (each.problem.empty()) text += written(each);
    const reading again = read_all(make_jsonl_reader, text);
    require(again.failure.empty(), "what is written is read to its end");
    auto found = again.records.begin();
    for (const read_record& each : all.records) {
        if (!each.problem.empty()) continue;
        require(found != again.records.end() && found->problem.empty() && found->names == each.names &&
                    found->cells == each.cells && found->json == each.json,
                "what is written is read again");
        ++found;
    }
    require(found == again.records.end(), "nothing else is read again");
}

void check_rows(std::string_view text) {
    memory_source source{std::string(text)};
    const auto reader = make_jsonl_reader(source, "job");
    auto mapper = row_mapper::create({});
    record each;
    for (std::uint64_t index = 0;; ++index) {
        const auto found = reader->next(each);
        if (!found || !*found) break;
        check_row(*mapper, each, index);
    }
}

}  // namespace

FUZZ_TARGET(jsonl_reader) {
    const reading whole = read_all(make_jsonl_reader, std::string(input));
    for (const std::size_t chunk : {std::size_t{1}, 3 + input.size() % 97})
        require(read_all(make_jsonl_reader, std::string(input), chunk) == whole, "chunks of any size read the same");
    for (const read_record& each : whole.records) check_record(each);
    check_written(whole);
    check_rows(input);
}
