// Everything that a reader says about a text, copied out, so that tests compare whole readings: the same text
// in other chunks, a truncated one, a reference's.
#pragma once

#include "io/record_buffer.hpp"
#include "io/record_reader.hpp"
#include "tests/support/memory_source.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::test {

struct read_record {
    std::uint64_t line = 0;
    std::vector<std::string> names;
    std::vector<std::string> cells;
    std::vector<bool> json;
    std::string problem;
    std::string column;
    friend bool operator==(const read_record&, const read_record&) = default;
};

struct reading {
    std::vector<read_record> records;
    std::vector<std::string> columns;
    std::string failure;  ///< the message that ended it; empty for a clean end
    friend bool operator==(const reading&, const reading&) = default;
};

using make_reader = std::unique_ptr<record_reader> (*)(byte_source&, std::string);

inline read_record copy_of(const record& from) {
    read_record to{from.line, {from.names.begin(), from.names.end()}, {}, {}, from.problem, from.column};
    for (const cell& each : from.cells) {
        to.cells.emplace_back(each.text);
        to.json.push_back(each.json);
    }
    return to;
}

inline reading read_all(record_reader& reader) {
    reading all;
    record each;
    for (;;) {
        const auto found = reader.next(each);
        if (!found) all.failure = found.error().message;
        if (!found || !*found) break;
        all.records.push_back(copy_of(each));
    }
    all.columns = reader.columns();
    return all;
}

inline reading read_all(make_reader make, memory_source source) {
    return read_all(*make(source, "job"));
}

inline reading read_all(make_reader make, std::string text, std::size_t chunk = memory_source::unlimited) {
    return read_all(make, memory_source(std::move(text), chunk));
}

inline reading read_csv_in_place(std::string_view text) {
    std::vector<char> padded(text.begin(), text.end());
    padded.resize(text.size() + record_buffer::padding, '"');
    return read_all(*make_csv_reader_in_place(padded, "job"));
}

/// Whether `part` is what a reader makes of the front of a file: the same records, the last one perhaps cut
/// off.
inline bool is_prefix(const reading& part, const reading& whole) {
    const std::size_t n = part.records.size();
    if (n > whole.records.size()) return false;
    for (std::size_t i = 0; i + 1 < n; ++i) {
        if (part.records[i] != whole.records[i]) return false;
    }
    return n == 0 || part.records[n - 1].line == whole.records[n - 1].line;
}

}  // namespace muster::test
