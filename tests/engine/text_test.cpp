#include "engine/text.hpp"

#include <doctest/doctest.h>

using namespace muster;

TEST_CASE("text: what could move a terminal's cursor is made visible") {
    CHECK(printable("a\x1b[31mb") == "a\\x1b[31mb");
    CHECK(printable("a\r\nb\tc") == "a\\r\\nb\\tc");
    CHECK(printable("\xC2\x9B"
                    "31m") == "\\u009b31m");
    CHECK(printable("Zoë 😀") == "Zoë 😀");
    for (int c = 0; c < 256; ++c) {
        const auto out = printable(std::string(1, static_cast<char>(c)));
        for (const char o : out) CHECK((static_cast<unsigned char>(o) >= 0x20 && o != 0x7F));
    }
}

TEST_CASE("text: long text is cut on a character's edge") {
    std::string text;
    for (int i = 0; i < 100; ++i) text += "é";
    const auto out = printable(text, 51);
    CHECK(out.size() == 52 + 3);
    CHECK(out.substr(out.size() - 3) == "…");
    CHECK(printable("abc", 3) == "abc");
    CHECK(printable("abcd", 3) == "abc…");
}

TEST_CASE("text: bytes that are not UTF-8 are made visible, and count when text is cut") {
    CHECK(printable("M\xFCller") == "M\\xfcller");
    CHECK(printable("a\xC3") == "a\\xc3");
    CHECK(printable("\xED\xA0\x80|") == "\\xed\\xa0\\x80|");  // half a surrogate pair
    CHECK(printable(std::string(100'000, '\x80')).size() < 220);
}

TEST_CASE("text: what is kept of foreign text is UTF-8 and short") {
    CHECK(kept_text("Zoë 😀", 100) == "Zoë 😀");
    CHECK(kept_text("a\xFF\xC3", 100) == "a\uFFFD\uFFFD");
    CHECK(kept_text("éé", 4) == "éé");
    CHECK(kept_text("éé", 3) == "é");
    CHECK(kept_text("é\xFF", 4) == "é");
    CHECK(kept_text("", 0).empty());
}

TEST_CASE("text: nearness of words") {
    CHECK(edit_distance("userId", "USER_ID") == 0);
    CHECK(edit_distance("tokenNmae", "tokenName") == 2);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance(std::string(100, 'a'), "a") == 64);
}

TEST_CASE("text: characters are named for people") {
    CHECK(describe_character("a b", ' ') == "a space");
    CHECK(describe_character("a\nb", '\n') == "a line break");
    CHECK(describe_character("aéb", '\xC3') == "the character 'é'");
    CHECK(describe_character("a\x01", '\x01') == "the control character 0x01");
}
