#include "samples/tenant/text.hpp"

#include <doctest/doctest.h>

using namespace tenant;
using namespace std::chrono_literals;

TEST_CASE("text: times in the forms of the API and of HTTP") {
    const Wall at{1623438630045ms};
    CHECK(iso_text(at) == "2021-06-11T19:10:30.045Z");
    CHECK(date_text(at) == "2021-06-11");
    CHECK(http_date(at) == "Fri, 11 Jun 2021 19:10:30 GMT");
    CHECK(iso_text(Wall{951782400000ms}) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("text: a UUID has one shape") {
    CHECK(is_uuid("eb2e12ae-1112-451b-98e1-dfe4e6afd60d"));
    CHECK(is_uuid("EB2E12AE-1112-451B-98E1-DFE4E6AFD60D"));
    for (const char* bad :
         {"", "eb2e12ae", "eb2e12ae-1112-451b-98e1-dfe4e6afd60", "eb2e12ae11112-451b-98e1-dfe4e6afd60d",
          "gb2e12ae-1112-451b-98e1-dfe4e6afd60d", "{b2e12ae-1112-451b-98e1-dfe4e6afd60}"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_uuid(bad));
    }
    CHECK(is_uuid(uuid_text(~0ULL, ~0ULL)));
    CHECK(uuid_text(0, 0) == "00000000-0000-4000-8000-000000000000");
}

TEST_CASE("text: JSON strings, percent and base64url") {
    CHECK(json_string("a\"b\\c\n\x01é") == "\"a\\\"b\\\\c\\n\\u0001é\"");
    CHECK(json_or_null("") == "null");
    CHECK(percent_decoded("a%2Db%2d") == "a-b-");
    for (const char* bad : {"%", "%2", "%2g", "a%"}) CHECK_FALSE(percent_decoded(bad));
    CHECK(base64url_decoded("AQID") == "\x01\x02\x03");
    CHECK(base64url_decoded("_-8") == "\xFF\xEF");
    for (const char* bad : {"A", "AQI=", "AQ+D", "AQ/D", "AQ D", "AR"}) CHECK_FALSE(base64url_decoded(bad));
    CHECK(code_points("aé€😀") == 4);
}
