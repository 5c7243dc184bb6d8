// JSON text, checked by reading it with simdjson.
#include "engine/json_text.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <string_view>

using namespace muster;

namespace {

std::string json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

}  // namespace

TEST_CASE("json text: escapes quotes, backslashes and control characters, nothing else") {
    CHECK(json("") == R"("")");
    CHECK(json("plain / text") == R"("plain / text")");
    CHECK(json("\"a\\b\"") == R"("\"a\\b\"")");
    CHECK(json("\b\t\n\f\r") == R"("\b\t\n\f\r")");
    CHECK(json(std::string_view("\0\x01\x1F\x7F", 4)) == "\"\\u0000\\u0001\\u001f\x7F\"");
    CHECK(json("M\xC3\xBCller \xE2\x80\xA8 \xF0\x9F\x98\x80") ==
          "\"M\xC3\xBCller \xE2\x80\xA8 \xF0\x9F\x98\x80\"");
}

TEST_CASE("json text: bytes that are not UTF-8 become U+FFFD") {
    CHECK(json("a\xFF\"z") == "\"a\xEF\xBF\xBD\\\"z\"");
    CHECK(json("\xC3") == "\"\xEF\xBF\xBD\"");
    CHECK(json("\xE2\x82\xC3\xBC") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xBC\"");
    CHECK(json("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_CASE("json text: any bytes make valid JSON, and UTF-8 comes back as it was") {
    simdjson::dom::parser parser;
    for (unsigned seed = 0; seed < 5'000; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        std::string text;
        const unsigned range = random() % 2 == 0 ? 256 : 128;
        for (std::size_t n = random() % 40; n > 0; --n) text += static_cast<char>(random() % range);
        std::string_view back;
        REQUIRE(parser.parse(json(text)).get(back) == simdjson::SUCCESS);
        if (simdjson::validate_utf8(text)) CHECK(back == text);
    }
}

TEST_CASE("json text: numbers") {
    std::string out = "[";
    append_json_number(out, 0);
    out += ',';
    append_json_number(out, std::numeric_limits<std::uint64_t>::max());
    CHECK(out == "[0,18446744073709551615");
}

TEST_CASE("json text: the length of a character") {
    CHECK(utf8_character_length("") == 0);
    CHECK(utf8_character_length("ab") == 1);
    CHECK(utf8_character_length("\xC3\xBCx") == 2);
    CHECK(utf8_character_length("\xF0\x9F\x98\x80") == 4);
    CHECK(utf8_character_length("\xF0\x9F\x98") == 0);
    CHECK(utf8_character_length("\x80") == 0);
}
