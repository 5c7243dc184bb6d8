#include "engine/exchange.hpp"

#include "engine/text.hpp"
#include "tests/support/rows.hpp"

#include <doctest/doctest.h>
#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace muster::test;

TEST_CASE("requests: each operation's is the one of its seed") {
    const owned_row assign(0, operation_id::assign, "000123456789", user_a, "My SecurID Token 789");
    auto r = build_request(assign.what);
    CHECK(r.method == "PATCH");
    CHECK(r.target == "/v1/users/" + user_a + "/sidTokens/assign");
    CHECK(r.body == R"({"tokenSerialNumber":"000123456789","tokenName":"My SecurID Token 789"})");

    r = build_request(owned_row(0, operation_id::assign, "000123456789").what);
    CHECK(r.body == R"({"tokenSerialNumber":"000123456789"})");

    r = build_request(owned_row(0, operation_id::enable, "1231314525").what);
    CHECK(r.target == "/v1/users/" + user_a + "/sidTokens/enable");
    CHECK(r.body == R"({"tokenSerialNumber":"1231314525"})");

    r = build_request(owned_row(0, operation_id::disable, "1231314525").what);
    CHECK(r.target == "/v1/users/" + user_a + "/sidTokens/disable");

    r = build_request(owned_row(0, operation_id::enable_ds100, "140100080").what);
    CHECK(r.method == "PATCH");
    CHECK(r.target == "/v1/ds100/enable/otp");
    CHECK(r.body == R"({"deviceSerialNumber":"140100080","userId":")" + user_a + "\"}");
}

TEST_CASE("requests: one built in the memory of any other is as one built afresh") {
    const std::vector<owned_row> rows{
        {0, operation_id::assign, "000123456789", user_a, "My \"SecurID\" Token 789"},
        {1, operation_id::assign, "7", "a/b", std::string(300, 'n')},
        {2, operation_id::enable, "1231314525"},
        {3, operation_id::disable, "1231314525", std::string(200, '%')},
        {4, operation_id::enable_ds100, "140100080"}};
    const auto is_same = [](const http_request& a, const http_request& b) {
        return a.method == b.method && a.target == b.target && a.body == b.body;
    };
    for (const owned_row& before : rows)
        for (const owned_row& r : rows) {
            const auto fresh = build_request(r.what);
            CHECK(is_same(build_request(r.what, build_request(before.what)), fresh));
            CHECK(is_same(build_request(r.what, build_lookup(before.what)), fresh));
        }
}

TEST_CASE("requests: the user ID is percent-encoded, whatever it holds") {
    std::string all;
    for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
    const owned_row any(0, operation_id::enable, "1", all);
    const std::string target = build_request(any.what).target;
    std::string decoded;
    for (std::size_t i = std::string_view("/v1/users/").size(); target[i] != '/'; ++i) {
        const bool encoded = target[i] == '%';
        CHECK((encoded || is_ascii_alphanumeric(target[i]) || std::string_view("-_.~").find(target[i]) != std::string_view::npos));
        decoded += encoded ? static_cast<char>(std::stoi(target.substr(i + 1, 2), nullptr, 16)) : target[i];
        if (encoded) i += 2;
    }
    CHECK(decoded == all);
    const owned_row evil(0, operation_id::enable, "1", "../a b\r\n%2f?#\xC3\xA9");
    CHECK(build_request(evil.what).target == "/v1/users/..%2Fa%20b%0D%0A%252f%3F%23%C3%A9/sidTokens/enable");
}

TEST_CASE("requests: names travel unharmed as JSON") {
    const owned_row r(0, operation_id::assign, "1", user_a, "a\"b\\c\nd\re\tf\x01,😀\xE2\x80\xA8");
    const auto body = build_request(r.what).body;
    simdjson::dom::parser parser;
    CHECK(std::string(std::string_view(parser.parse(body)["tokenName"])) == r.what.get(field::token_name));
}

TEST_CASE("replies: a right one confirms and gives its details") {
    reply_reader reader;
    const owned_row assign(0, operation_id::assign, "000123456789");
    for (const char* state : {"Activation Pending", "Activated"}) {
        const auto reading =
            reader.read_reply(assign.what, token_reply("000123456789", user_a, "tokenState", state));
        CHECK(reading.confirmed);
        CHECK(reading.details.state == state);
        CHECK(reading.details.changed_at == "2021-06-13T04:38:51.961Z");
        CHECK(reading.details.changed_by == "admin@x");
    }
    const owned_row enable(0, operation_id::enable, "7");
    CHECK(reader
              .read_reply(enable.what,
                          token_reply("7", "EB2E12AE-1112-451B-98E1-DFE4E6AFD60D", "tokenStatus", "Enabled"))
              .confirmed);
    const owned_row device(0, operation_id::enable_ds100, "140100080");
    const auto reading = reader.read_reply(
        device.what, R"([{"userId":")" + user_a +
                         R"(","tokenSerialNumber":"014010008031","tokenStatus":"Enabled",)"
                         R"("tokenStatusChangedAt":"2022-05-24T07:30:55.856Z","tokenStatusChangedBy":"x",)"
                         R"("deviceSerialNumber":"140100080"}])");
    CHECK(reading.confirmed);
    CHECK(reading.details.token_serial == "014010008031");
}

TEST_CASE("replies: one that is wrong in any way does not confirm, and says why") {
    reply_reader reader;
    const owned_row enable(0, operation_id::enable, "7");
    const std::string good = token_reply("7", user_a, "tokenStatus", "Enabled");
    REQUIRE(reader.read_reply(enable.what, good).confirmed);
    const std::vector<std::string> bad{
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        "[" + good + "]",
        token_reply("8", user_a, "tokenStatus", "Enabled"),
        token_reply("7", user_b, "tokenStatus", "Enabled"),
        token_reply("7", user_a, "tokenStatus", "Disabled"),
        token_reply("7", user_a, "tokenState", "Enabled"),
        R"({"userId":")" + user_a + R"(","tokenSerialNumber":7,"tokenStatus":"Enabled"})"};
    for (const auto& body : bad) {
        const auto reading = reader.read_reply(enable.what, body);
        CHECK_MESSAGE(!reading.confirmed, body);
        CHECK_MESSAGE(!reading.problem.empty(), body);
    }
    for (std::size_t n = 0; n < good.size(); ++n)
        CHECK_FALSE(reader.read_reply(enable.what, good.substr(0, n)).confirmed);

    const owned_row device(0, operation_id::enable_ds100, "1");
    const auto item = [](const std::string& serial, const std::string& status) {
        return R"({"userId":")" + user_a + R"(","tokenStatus":")" + status + R"(","deviceSerialNumber":")" +
               serial + "\"}";
    };
    CHECK(reader.read_reply(device.what, "[" + item("1", "Enabled") + "]").confirmed);
    CHECK_FALSE(reader.read_reply(device.what, item("1", "Enabled")).confirmed);
    CHECK_FALSE(reader.read_reply(device.what, "[]").confirmed);
    CHECK_FALSE(reader.read_reply(device.what, "[1]").confirmed);
    CHECK_FALSE(reader.read_reply(device.what, "[" + item("1", "Enabled") + "," + item("2", "Enabled") + "]")
                    .confirmed);
    CHECK_FALSE(reader.read_reply(device.what, "[" + item("1", "Disabled") + "]").confirmed);
}

TEST_CASE("replies: whatever the details hold, what is kept of them is UTF-8 and short") {
    reply_reader reader;
    const owned_row enable(0, operation_id::enable, "7");
    const auto reading = reader.read_reply(
        enable.what, R"({"userId":")" + user_a + R"(","tokenSerialNumber":"7","tokenStatus":"Enabled",)" +
                         R"("tokenStatusChangedAt":")" + std::string(5000, 'x') +
                         R"(","tokenStatusChangedBy":")" + std::string(1023, 'x') + "é\"}");
    CHECK(reading.confirmed);
    CHECK(reading.details.changed_at.size() == 100);
    CHECK(reading.details.changed_by.size() == 1023);
    CHECK(simdjson::validate_utf8(reader.read_error("caf\xE9")));
    CHECK(reader.read_error(std::string(100'000, '\x80')).size() < 300);
}

TEST_CASE("look-ups: tell what became of a row") {
    reply_reader reader;
    const auto token = [](const std::string& user, const std::string& state, const std::string& status) {
        return R"({"deviceType":"SID700","tokenSerialNumber":"7","name":"n","userId":)" +
               (user.empty() ? std::string("null") : "\"" + user + "\"") + R"(,"tokenState":")" + state +
               R"(","tokenStatus":")" + status + "\"}";
    };
    const owned_row assign(0, operation_id::assign, "7", user_a);
    CHECK(reader.read_lookup(assign.what, token(user_a, "Activated", "Disabled")).state ==
          actual_state::as_wanted);
    CHECK(reader.read_lookup(assign.what, token(user_b, "Activated", "Disabled")).state ==
          actual_state::conflicting);
    CHECK(reader.read_lookup(assign.what, token("", "Unassigned", "Disabled")).state ==
          actual_state::not_applied);
    CHECK(reader.read_lookup(assign.what, "{}").state == actual_state::unreadable);
    CHECK(reader.read_lookup(assign.what, "x").state == actual_state::unreadable);

    const owned_row named(0, operation_id::assign, "7", user_a, "other");
    CHECK(reader.read_lookup(named.what, token(user_a, "Activated", "Disabled")).note.find("'n'") !=
          std::string::npos);

    const owned_row enable(0, operation_id::enable, "7", user_a);
    CHECK(reader.read_lookup(enable.what, token(user_a, "Activated", "Enabled")).state ==
          actual_state::as_wanted);
    CHECK(reader.read_lookup(enable.what, token(user_a, "Activated", "Disabled")).state ==
          actual_state::not_applied);
    CHECK(reader.read_lookup(enable.what, token(user_b, "Activated", "Enabled")).state ==
          actual_state::not_applied);
    const owned_row disable(0, operation_id::disable, "7", user_a);
    CHECK(reader.read_lookup(disable.what, token("", "Unassigned", "Disabled")).state ==
          actual_state::not_applied);

    const owned_row device(0, operation_id::enable_ds100, "1", user_a);
    CHECK(reader.read_lookup(device.what, "[]").state == actual_state::not_applied);
    CHECK(reader
              .read_lookup(device.what, R"([{"deviceSerialNumber":"1","userId":")" + user_a +
                                            R"(","tokenStatus":"Enabled"}])")
              .state == actual_state::as_wanted);
}

TEST_CASE("error replies: the service's words are kept, fit for one line") {
    reply_reader reader;
    CHECK(reader.read_error(R"({"code":"X","message":"No such user."})") == "X: No such user.");
    CHECK(reader.read_error(R"({"error":"invalid_token"})") == "invalid_token");
    CHECK(reader.read_error("").empty());
    CHECK(reader.read_error("<html>\n\x1b[31m") == "<html>\\n\\x1b[31m");
    CHECK(reader.read_error(std::string(10'000, 'x')).size() < 300);
}
