// The CSV reader against a slow and obvious reference, in every chunking, cut off and damaged everywhere.
#include "io/csv_writer.hpp"
#include "io/record_reader.hpp"
#include "tests/support/csv_reference.hpp"
#include "tests/support/read_records.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace muster::test;

namespace {

reading read_csv(std::string text, std::size_t chunk = memory_source::unlimited) {
    return read_all(make_csv_reader, std::move(text), chunk);
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

using strings = std::vector<std::string>;

const std::string tricky =
    "\xEF\xBB\xBF"
    "operation,\"user\r\nId\",note\r\n"
    "assign,u1,\"a, \"\"quoted\"\" note\"\r\n"
    "\r\n"
    "assign,\"u\n2\",\"\"\n"
    "assign,M\xC3\xBCller,\"\"\"\"\n"
    "short,row\n"
    "a,b,c,d\n"
    "a,b\"c,d\n"
    "a,\"b\" c,d\n"
    "a,\xFF,d\n"
    "a,b\rc,d\n"
    "last,\"\r\n\",row";

void compare_with_reference(const std::string& text) {
    CAPTURE(text);
    const reading all = read_csv(text);
    csv_reference expected(text);
    REQUIRE(expected.next().has_value());  // the header
    for (const read_record& record : all.records) {
        const auto want = expected.next();
        REQUIRE(want.has_value());
        CHECK(record.line == want->line);
        CHECK(record.cells == want->cells);
        CHECK(record.problem.empty() == (!want->bad && want->cells.size() == 3));
    }
    CHECK_FALSE(expected.next().has_value());
    CHECK(all.failure.empty() == !expected.unclosed);
    if (expected.unclosed) CHECK(contains(all.failure, fmt::format("job:{}:", expected.unclosed_line)));
}

}  // namespace

TEST_CASE(
    "csv reader: quotes, doubled quotes, commas and line breaks in quotes, a byte order mark, CR LF and LF") {
    const reading all = read_csv(tricky);
    CHECK(all.failure == "");
    CHECK(all.columns == strings{"operation", "user\r\nId", "note"});
    REQUIRE(all.records.size() == 10);
    CHECK(all.records[0].cells == strings{"assign", "u1", "a, \"quoted\" note"});
    CHECK(all.records[0].line == 3);
    CHECK(all.records[0].names == all.columns);
    CHECK(all.records[1].cells == strings{"assign", "u\n2", ""});
    CHECK(all.records[1].line == 5);
    CHECK(all.records[2].cells == strings{"assign", "M\xC3\xBCller", "\""});
    CHECK(all.records[2].line == 7);
    CHECK(all.records[9].cells == strings{"last", "\r\n", "row"});
    CHECK(all.records[9].line == 14);
}

TEST_CASE("csv reader: a malformed record is reported with its column, and reading goes on") {
    const reading all = read_csv(tricky);
    REQUIRE(all.records.size() == 10);
    CHECK(all.records[3].problem == "has 2 fields; the header has 3");
    CHECK(all.records[3].names.size() == 2);
    CHECK(all.records[4].problem == "has 4 fields; the header has 3");
    CHECK(all.records[4].names.size() == 4);
    CHECK(contains(all.records[5].problem, "quote inside"));
    CHECK(all.records[5].column == "user\r\nId");
    CHECK(contains(all.records[6].problem, "behind its closing quote"));
    CHECK(all.records[6].cells[1] == "\"b\" c");
    CHECK(all.records[7].problem == "is not UTF-8 text");
    CHECK(all.records[7].column == "user\r\nId");
    CHECK(contains(all.records[8].problem, "carriage return"));
    const reading nul = read_csv(std::string("a,b\nc,d\0e\n1,2\n", 14));
    CHECK(nul.records[0].problem == "has a NUL byte");
    CHECK(nul.records[0].column == "b");
    CHECK(nul.records[1].problem == "");
}

TEST_CASE("csv reader: chunks of any size give the same reading") {
    const reading whole = read_csv(tricky);
    for (std::size_t chunk = 1; chunk <= tricky.size(); ++chunk) {
        CAPTURE(chunk);
        CHECK(read_csv(tricky, chunk) == whole);
    }
}

TEST_CASE("csv reader: a file cut off anywhere gives a prefix of the records or an error, in place too") {
    const reading whole = read_csv(tricky);
    for (std::size_t length = 0; length < tricky.size(); ++length) {
        CAPTURE(length);
        const reading part = read_csv(tricky.substr(0, length));
        CHECK(read_csv_in_place(std::string_view(tricky).substr(0, length)) == part);
        CHECK((!part.failure.empty() || part.columns.size() <= 3));
        CHECK((part.columns != whole.columns || is_prefix(part, whole)));
    }
}

TEST_CASE("csv reader: any byte damaged in any bit, it reads on or says why not, the same in place") {
    for (std::size_t at = 0; at < tricky.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string damaged = tricky;
            damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1U << bit));
            const reading all = read_csv(damaged, 7);
            CHECK(read_csv_in_place(damaged) == all);
            CHECK((!all.failure.empty() || !all.records.empty()));
        }
    }
}

TEST_CASE("csv reader: random texts read as the reference reads them") {
    constexpr std::string_view alphabet("a,\"\r\nb\0,\"\n", 10);
    for (unsigned seed = 0; seed < 4'000; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        std::string text = "x,y,z\n";
        const std::size_t length = random() % (seed % 50 == 0 ? 400 : 24);
        while (text.size() < 6 + length) text += alphabet[random() % alphabet.size()];
        compare_with_reference(text);
    }
}

TEST_CASE("csv reader: what the writer writes comes back") {
    constexpr std::string_view alphabet = "ab ,\"\r\n\t\xEF\xBB\xBF";
    for (unsigned seed = 0; seed < 1'000; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const std::size_t columns = 1 + random() % 4;
        std::string text;
        strings names;
        for (std::size_t c = 0; c < columns; ++c) names.push_back(fmt::format("\xEF\xBB\xBFname, {}", c));
        append_csv_record(text, std::vector<std::string_view>(names.begin(), names.end()));
        std::vector<strings> rows(random() % 20);
        for (strings& row : rows) {
            for (std::size_t c = 0; c < columns; ++c) {
                std::string& value = row.emplace_back();
                const std::size_t length = random() % 8;
                while (value.size() < length) {
                    const std::size_t letter = random() % (alphabet.size() - 2);
                    value +=
                        letter == alphabet.size() - 3 ? alphabet.substr(letter) : alphabet.substr(letter, 1);
                }
            }
            append_csv_record(text, std::vector<std::string_view>(row.begin(), row.end()));
        }
        CAPTURE(text);
        const reading all = read_csv(text, 1 + random() % 64);
        CHECK(all.failure == "");
        CHECK(all.columns == names);
        REQUIRE(all.records.size() == rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            CHECK(all.records[i].cells == rows[i]);
            CHECK(all.records[i].problem == "");
        }
    }
}

TEST_CASE("csv reader: an unclosed quote is fatal and names the line and column where it opened") {
    const reading all = read_csv("a,b\n1,2\n\"x\ny\",\"open\nmore\n\nand more\n");
    CHECK(all.records.size() == 1);
    CHECK(all.failure == "job:4: column b: the quote that opens here is not closed by the end of the file");
    CHECK(contains(read_csv("\"a,b\n1,2\n").failure, "job:1: the quote"));
}

TEST_CASE("csv reader: a record of max_record_bytes is read, a longer one is fatal") {
    for (const std::size_t chunk : {std::size_t{4095}, std::size_t{100'000}, memory_source::unlimited}) {
        for (const std::string_view line_break : {"\n", "\r\n", ""}) {
            CAPTURE(chunk);
            const std::string longest = "a\n1\n\"" + std::string(max_record_bytes - 2, 'x') + "\"";
            const reading fits = read_csv(longest + std::string(line_break), chunk);
            CHECK(fits.failure == "");
            REQUIRE(fits.records.size() == 2);
            CHECK(fits.records[1].cells[0].size() == max_record_bytes - 2);
            const std::string longer =
                "a\n1\n" + std::string(max_record_bytes + 1, 'x') + std::string(line_break);
            const reading too_long = read_csv(longer, chunk);
            CHECK(too_long.records.size() == 1);
            CHECK(contains(too_long.failure,
                           "job:3: the record that starts here is longer than 1048576 bytes"));
        }
    }
    const reading unclosed = read_csv("a\n1\n\"" + std::string(3 * max_record_bytes, 'x'));
    CHECK(contains(unclosed.failure, "perhaps a closing quote is missing"));
}

TEST_CASE("csv reader: long and short records over many buffers") {
    std::string text = "n,v\n";
    std::vector<std::size_t> lengths;
    std::mt19937 random(7);
    while (text.size() < 3'000'000) {
        lengths.push_back(random() % 50 == 0 ? random() % 400'000 : random() % 100);
        text += fmt::format("{},\"{}\"\"\n\"\r\n", lengths.size(), std::string(lengths.back(), 'v'));
    }
    const reading all = read_csv(text);
    CHECK(all.failure == "");
    REQUIRE(all.records.size() == lengths.size());
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        CHECK(all.records[i].cells[0] == std::to_string(i + 1));
        CHECK(all.records[i].cells[1].size() == lengths[i] + 2);
        CHECK(all.records[i].line == 2 + 2 * i);
    }
}

TEST_CASE("csv reader: a header row that cannot be trusted is fatal") {
    const auto failure = [](std::string text) { return read_csv(std::move(text)).failure; };
    CHECK(failure("") == "job:1: there is no header row");
    CHECK(failure("\xEF\xBB\xBF\n\r\n") == "job:3: there is no header row");
    CHECK(failure("\n,,\n") == "job:2: the header row names no column");
    CHECK(failure("a,,b\n") == "job:1: column 2 of the header row has no name");
    CHECK(failure("a,b,a\n") == "job:1: two columns have the name a");
    CHECK(contains(failure("a,b\"c\n"), "job:1: column 2 of the header row has a quote inside"));
    CHECK(contains(failure("a\rb\rc"), "carriage return alone"));
    CHECK(contains(failure("a,M\xFCller\n"), "not UTF-8"));
    CHECK(contains(failure(std::string("\xFF\xFE\x61\x00\x0A\x00", 6)), "UTF-16"));
    CHECK(contains(failure("PK\x03\x04\xFF\xFF\n"), "workbook"));
    CHECK(contains(failure(std::string(3 * max_record_bytes, '\0')), "NUL bytes"));
}

TEST_CASE(
    "csv reader: columns without a name at the end of the header are dropped unless they hold something") {
    const reading all = read_csv("a,b,,\n1,2,,\n3,4\n5,6,,x\n7,8,,,\n9\n");
    CHECK(all.columns == strings{"a", "b"});
    REQUIRE(all.records.size() == 5);
    CHECK(all.records[0].cells == strings{"1", "2"});
    CHECK(all.records[0].problem == "");
    CHECK(all.records[1].problem == "");
    CHECK(all.records[2].problem == "has a value in column 4, which has no name");
    CHECK(all.records[3].problem == "has 5 fields; the header has 4");
    CHECK(all.records[4].problem == "has 1 field; the header has 4");
}

TEST_CASE(
    "csv reader: a source that fails ends the reading with its message, for good, and cuts no record short") {
    const reading whole = read_csv(tricky);
    for (std::size_t at = 0; at < tricky.size(); ++at) {
        CAPTURE(at);
        memory_source source(tricky, 5, at);
        const auto reader = make_csv_reader(source, "job");
        record each;
        std::size_t n = 0;
        auto found = reader->next(each);
        for (; found && *found; found = reader->next(each)) CHECK(copy_of(each) == whole.records[n++]);
        REQUIRE(found.has_error());
        CHECK(found.error().message == "memory: cannot be read");
        CHECK(reader->next(each).has_error());
    }
}
