// The CSV writer's quoting; that everything it writes is read back is the reader's test.
#include "io/csv_writer.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <string_view>

using namespace muster;

namespace {

std::string field(std::string_view text) {
    std::string out;
    append_csv_field(out, text);
    return out;
}

template <std::size_t n>
std::string fields(const std::array<std::string_view, n>& texts) {
    std::string out;
    append_csv_record(out, texts);
    return out;
}

}  // namespace

TEST_CASE("csv writer: quotes only where they are needed") {
    CHECK(field("") == "");
    CHECK(field("plain text") == "plain text");
    CHECK(field("a,b") == "\"a,b\"");
    CHECK(field("a\"b\"\"") == "\"a\"\"b\"\"\"\"\"");
    CHECK(field("\"") == "\"\"\"\"");
    CHECK(field("a\nb") == "\"a\nb\"");
    CHECK(field("a\r") == "\"a\r\"");
    CHECK(field(" a") == "\" a\"");
    CHECK(field("a\t") == "\"a\t\"");
    CHECK(field("\xEF\xBB\xBF") == "\"\xEF\xBB\xBF\"");
    CHECK(field("M\xC3\xBCller;'") == "M\xC3\xBCller;'");
}

TEST_CASE("csv writer: each byte in each place of a field is quoted only where it must be") {
    for (int value = 0; value < 256; ++value) {
        const char c = static_cast<char>(value);
        const bool everywhere = c == ',' || c == '"' || c == '\r' || c == '\n';
        const bool at_an_end = everywhere || c == ' ' || c == '\t';
        for (const std::size_t place : {0U, 1U, 7U, 8U, 18U}) {
            CAPTURE(value);
            CAPTURE(place);
            std::string text(19, 'x');
            text[place] = c;
            const bool quoted = field(text).front() == '"';
            CHECK(quoted == (place == 0 || place == 18 ? at_an_end : everywhere));
        }
    }
}

TEST_CASE("csv writer: a record of one empty field is no blank line") {
    CHECK(fields<1>({""}) == "\"\"\n");
    CHECK(fields<2>({"", ""}) == ",\n");
    CHECK(fields<3>({"a", "b,c", ""}) == "a,\"b,c\",\n");
}

TEST_CASE("csv writer: appends") {
    std::string out = "x,";
    append_csv_field(out, "y\"");
    CHECK(out == "x,\"y\"\"\"");
}
