// The JSONL reader against simdjson's DOM as its reference, in every chunking, cut off and damaged
// everywhere.
#include "engine/json_text.hpp"
#include "io/record_reader.hpp"
#include "tests/support/read_records.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace muster::test;

namespace {

using strings = std::vector<std::string>;

reading read_jsonl(std::string text, std::size_t chunk = memory_source::unlimited) {
    return read_all(make_jsonl_reader, std::move(text), chunk);
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

const std::string tricky =
    "\xEF\xBB\xBF{\"operation\":\"assign\",\"userId\":\"u1\",\"n\":12.50}\r\n"
    "\n"
    " \t\r\n"
    "{\"operation\":\"assign\",\"userId\":\"M\\u00fcller \\ud83d\\ude00 \\\"x\\\"\",\"n\":null}\n"
    "{ \"userId\" : \"M\xC3\xBCller\" , \"nested\" : {\"a\":[1, 2]} ,\"operation\":true , \"list\":[ ] }\n"
    "{\"userId\":\"a\xE2\x80\xA8z\"}\n"
    "{}\n"
    "{\"a\\u0062c\":1,\"abc2\":-0.1e+5}\n"
    "{\"userId\":\"x\",\"userId\":\"y\"}\n"
    "{\"userId\":\"half \\ud83d\"}\n"
    "{\"userId\":\"x\" \"n\":1}\n"
    "[1,2]\n"
    "{\"userId\":\"bad\xFF\"}\n"
    "{\"n\":01}\n"
    "{\"n\":1} x\n"
    "{\"last\":\"\"}";

std::string damaged_line(std::mt19937& random) {
    const strings lines{"{\"a\":\"b\\n\",\"c\":[1,{\"d\":-2.5e3}],\"e\":true,\"f\":null}",
                        "{ \"key\" : \"\\u00e9\" , \"k2\" : { } , \"k3\" : 10 }",
                        "{\"x\":\"\xC3\xA9\xE2\x82\xAC\"}"};
    constexpr std::string_view alphabet = "{}[]\",:\\ u0d8eE.-+1atrue\t\x01\xFF\r";
    std::string line = lines[random() % lines.size()];
    for (std::size_t damages = random() % 4; damages > 0; --damages) {
        const std::size_t at = random() % line.size();
        const char letter = alphabet[random() % alphabet.size()];
        switch (random() % 3) {
            case 0: line.erase(at, 1); break;
            case 1: line.insert(at, 1, letter); break;
            default: line[at] = letter;
        }
    }
    return line;
}

void compare_with_reference(const std::string& line, const read_record& got) {
    CAPTURE(line);
    if (got.problem == "is there twice") return;  // simdjson does not mind
    simdjson::dom::parser parser;
    simdjson::dom::object want;
    const bool valid = parser.parse(line).get(want) == simdjson::SUCCESS;
    CHECK(got.problem.empty() == valid);
    if (!valid || !got.problem.empty()) return;
    REQUIRE(got.cells.size() == want.size());
    std::size_t i = 0;
    for (const auto field : want) {
        CHECK(got.names[i] == field.key);
        CHECK(got.json[i] == !field.value.is_string());
        if (field.value.is_string()) {
            CHECK(got.cells[i] == std::string_view(field.value));
        } else {
            simdjson::dom::parser again;
            simdjson::dom::element value;
            REQUIRE(again.parse(got.cells[i]).get(value) == simdjson::SUCCESS);
            CHECK(simdjson::minify(value) == simdjson::minify(field.value));
        }
        ++i;
    }
}

}  // namespace

TEST_CASE("jsonl reader: strings are unescaped, other values keep their source") {
    const reading all = read_jsonl(tricky);
    CHECK(all.failure == "");
    REQUIRE(all.records.size() == 14);
    CHECK(all.records[0].names == strings{"operation", "userId", "n"});
    CHECK(all.records[0].cells == strings{"assign", "u1", "12.50"});
    CHECK(all.records[0].json == std::vector<bool>{false, false, true});
    CHECK(all.records[1].line == 4);
    CHECK(all.records[1].cells == strings{"assign", "M\xC3\xBCller \xF0\x9F\x98\x80 \"x\"", "null"});
    CHECK(all.records[2].names == strings{"userId", "nested", "operation", "list"});
    CHECK(all.records[2].cells == strings{"M\xC3\xBCller", "{\"a\":[1, 2]}", "true", "[ ]"});
    CHECK(all.records[2].json == std::vector<bool>{false, true, true, true});
    CHECK(all.records[3].cells == strings{"a\xE2\x80\xA8z"});
    CHECK(all.records[3].line == 6);
    CHECK(all.records[4].cells.empty());
    CHECK(all.records[4].problem == "");
    CHECK(all.records[5].names == strings{"abc", "abc2"});
    CHECK(all.records[5].cells == strings{"1", "-0.1e+5"});
    CHECK(all.records[13].line == 16);
    CHECK(all.columns == strings{"operation", "userId", "n", "nested", "list", "abc", "abc2", "last"});
}

TEST_CASE("jsonl reader: a malformed line is reported with place and reason, and reading goes on") {
    const reading all = read_jsonl(tricky);
    REQUIRE(all.records.size() == 14);
    CHECK(all.records[6].problem == "is there twice");
    CHECK(all.records[6].column == "userId");
    CHECK(all.records[7].problem ==
          "is not valid JSON at character 11: this string has an escape that is not valid");
    CHECK(all.records[7].column == "userId");
    CHECK(contains(all.records[8].problem, "is not valid JSON at character 15: a comma"));
    CHECK(contains(all.records[9].problem, "is not a JSON object"));
    CHECK(all.records[10].problem == "is not valid JSON at character 15: this is not UTF-8 text");
    CHECK(contains(all.records[11].problem, "is not valid JSON at character 6: this is neither a number"));
    CHECK(all.records[11].column == "n");
    CHECK(all.records[12].problem ==
          "is not valid JSON at character 10: the line does not end with the bracket that closes "
          "the object");
    CHECK(contains(read_jsonl("{} {}").records[0].problem, "character 4: there is text behind the object"));
    for (std::size_t i = 7; i < 13; ++i) CHECK(all.records[i].cells.empty());
}

TEST_CASE("jsonl reader: what is not JSON, and where") {
    const auto problem = [](const std::string& line) {
        const reading all = read_jsonl("{}\n" + line + "\n{}");
        REQUIRE(all.records.size() == 3);
        CHECK(all.records[2].problem == "");
        return all.records[1].problem;
    };
    const strings broken{"{",
                         "}",
                         "{\"a\"}",
                         "{\"a\":}",
                         "{\"a\":1,}",
                         "{,}",
                         "{a:1}",
                         "{\"a\":1]",
                         "{\"a\":tru}",
                         "{\"a\":truex}",
                         "{\"a\":+1}",
                         "{\"a\":.5}",
                         "{\"a\":5.}",
                         "{\"a\":1e}",
                         "{\"a\":-}",
                         "{\"a\":0x1}",
                         "{\"a\":NaN}",
                         "{\"a\":[1}",
                         "{\"a\":[1,]}",
                         "{\"a\":{\"b\"}}",
                         "{\"a\":[}]}",
                         "{\"a\":'b'}",
                         "{\"a\":\"\\x\"}",
                         "{\"a\":\"\\u12\"}",
                         "{\"a\":\"\\udc00\"}",
                         "{\"\\ud800\":1}",
                         "{\"a\":\"b\"c}",
                         "\"a\"",
                         "1",
                         "null",
                         "{} {}",
                         "{}{}",
                         "{\"a\":1}}",
                         "{\"a\":\"b\" // c\n",
                         "{\"a\":[01]}",
                         "{\"a\" \"b\"}",
                         "{\"a\":1 2}",
                         "{\"a\":[tru]}"};
    for (const std::string& line : broken) {
        CAPTURE(line);
        if (contains(line, "\n")) continue;
        CHECK(problem(line) != "");
    }
    CHECK(contains(problem("{\"a\":\"open"), "character 6: the string that opens here is not closed"));
    CHECK(contains(problem("{\"\xC3\xBC\":\"tab\there\"}"), "character 10: a control character"));
    CHECK(contains(problem(std::string("{\"a\":\"\0\"}", 9)), "character 7: a control character"));
    CHECK(contains(problem("{\"a\":" + std::string(2000, '[') + std::string(2000, ']') + "}"),
                   "nested too deeply"));
}

TEST_CASE("jsonl reader: chunks of any size give the same reading") {
    const reading whole = read_jsonl(tricky);
    for (std::size_t chunk = 1; chunk <= tricky.size(); ++chunk) {
        CAPTURE(chunk);
        CHECK(read_jsonl(tricky, chunk) == whole);
    }
}

TEST_CASE("jsonl reader: what was in the buffer before says nothing of the last line") {
    const std::string last = "{\"a\":11}\" 1\"}";
    const auto alone = read_jsonl(last);
    for (std::size_t place = 0; place < 20; ++place) {  // of a bracket, where the last line ends
        const std::string before = "{\"a\":\"" + std::string(place, 'x') + "}\"}\n";
        const auto all = read_jsonl(before + last);
        REQUIRE(all.records.size() == 2);
        CHECK(all.records[1].problem == alone.records.at(0).problem);
    }
}

TEST_CASE("jsonl reader: a file cut off anywhere gives a prefix of the records") {
    const reading whole = read_jsonl(tricky);
    for (std::size_t length = 0; length < tricky.size(); ++length) {
        CAPTURE(length);
        const reading part = read_jsonl(tricky.substr(0, length));
        CHECK(part.failure == "");
        CHECK(is_prefix(part, whole));
    }
}

TEST_CASE("jsonl reader: damaged lines are accepted exactly when simdjson's DOM accepts them") {
    for (unsigned seed = 0; seed < 300; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        strings lines(100);
        std::string text;
        for (std::string& line : lines) text += line = damaged_line(random) + "\n";
        const reading all = read_jsonl(text);
        REQUIRE(all.records.size() == lines.size());
        for (std::size_t i = 0; i < lines.size(); ++i) compare_with_reference(lines[i], all.records[i]);
    }
}

TEST_CASE("jsonl reader: any string written as JSON comes back") {
    for (unsigned seed = 0; seed < 500; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const strings pieces{
            "a", "\\", "\"", "\n", std::string(1, '\0'), "\x1F", "\xC3\xA9", "\xF0\x9F\x98\x80", "/"};
        std::string text;
        strings values(1 + random() % 5);
        for (std::string& value : values) {
            for (std::size_t n = random() % 12; n > 0; --n) value += pieces[random() % pieces.size()];
            text += "{\"k" + std::to_string(random() % 3) + "\":";
            append_json_string(text, value);
            text += "}\n";
        }
        const reading all = read_jsonl(text, 1 + random() % 20);
        REQUIRE(all.records.size() == values.size());
        for (std::size_t i = 0; i < values.size(); ++i) CHECK(all.records[i].cells == strings{values[i]});
    }
}

TEST_CASE("jsonl reader: names that need escapes are told from names that look like their source") {
    const reading all =
        read_jsonl("{\"a\\\\b\":1}\n{\"a\\b\":2}\n{\"a\\\\b\":3}\n{\"a\\\\b\":4,\"a\\\\b\":5}\n");
    CHECK(all.columns == strings{"a\\b", "a\b"});
    CHECK(all.records[1].names == strings{"a\b"});
    CHECK(all.records[2].names == strings{"a\\b"});
    CHECK(all.records[3].problem == "is there twice");
}

TEST_CASE("jsonl reader: the columns are bounded, a record keeps all of its own") {
    std::string text;
    for (int line = 0; line < 2; ++line) {
        text += "{";
        for (int i = 0; i < 1500; ++i) text += fmt::format("{}\"k{}\":\"{}\"", i == 0 ? "" : ",", i, i);
        text += "}\n";
    }
    text += "{\"k1400\":1,\"k3\":2,\"k1400\":3}\n{\"k3\":1,\"k1400\":2}\n";
    const reading all = read_jsonl(text);
    CHECK(all.columns.size() == 1000);
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        REQUIRE(all.records[i].names.size() == 1500);
        CHECK(all.records[i].names[1499] == "k1499");
        CHECK(all.records[i].cells[1499] == "1499");
    }
    CHECK(all.records[2].problem == "is there twice");
    CHECK(all.records[2].column == "k1400");
    CHECK(all.records[3].names == strings{"k3", "k1400"});
}

TEST_CASE("jsonl reader: a line of max_record_bytes is read, a longer one is fatal") {
    for (const std::size_t chunk : {std::size_t{4095}, memory_source::unlimited}) {
        for (const std::string_view line_break : {"\n", "\r\n", ""}) {
            const auto line = [&](std::size_t bytes) {
                return "{\"a\":1}\n{\"a\":\"" + std::string(bytes - 8, 'x') + "\"}" + std::string(line_break);
            };
            const reading fits = read_jsonl(line(max_record_bytes), chunk);
            CHECK(fits.failure == "");
            REQUIRE(fits.records.size() == 2);
            CHECK(fits.records[1].cells[0].size() == max_record_bytes - 8);
            const reading longer = read_jsonl(line(max_record_bytes + 1), chunk);
            CHECK(longer.records.size() == 1);
            CHECK(contains(longer.failure, "job:2: the line is longer than 1048576 bytes"));
        }
    }
}

TEST_CASE("jsonl reader: a file that is no text is fatal, an empty one has no records") {
    CHECK(contains(read_jsonl(std::string("\xFF\xFE{\0}\0", 6)).failure, "job:1: the file is UTF-16"));
    CHECK(contains(read_jsonl(std::string(3 * max_record_bytes, '\0')).failure, "NUL bytes"));
    CHECK(read_jsonl("") == reading{});
    CHECK(read_jsonl("\n \r\n").records.empty());
}

TEST_CASE("jsonl reader: a source that fails ends the reading with its message, for good") {
    for (std::size_t at = 0; at < tricky.size(); ++at) {
        memory_source source(tricky, 5, at);
        const auto reader = make_jsonl_reader(source, "job");
        record each;
        auto found = reader->next(each);
        while (found && *found) found = reader->next(each);
        REQUIRE(found.has_error());
        CHECK(found.error().message == "memory: cannot be read");
        CHECK(reader->next(each).has_error());
    }
}
