#include "engine/job.hpp"

#include "tests/support/rows.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace muster::test;

namespace {

record make(std::vector<std::pair<std::string_view, cell>> cells) {
    record r;
    r.line = 7;
    for (const auto& [name, value] : cells) {
        r.names.push_back(name);
        r.cells.push_back(value);
    }
    return r;
}

row_mapper mapper(column_options options = {}) {
    return std::move(*row_mapper::create(options));
}

}  // namespace

TEST_CASE("rows: a row owns what it was made of") {
    const owned_row r(3, operation_id::assign, "000123456789", user_a, "name");
    CHECK(r.what.get(field::user_id) == user_a);
    CHECK(r.what.get(field::token_serial) == "000123456789");
    CHECK(r.what.get(field::token_name) == "name");
    CHECK(r.what.get(field::device_serial).empty());
    CHECK(r.what.subject() == "000123456789");
    CHECK(r.what.index() == 3);
    CHECK(r.what.line() == 5);
}

TEST_CASE("rows: a token and a device of the same serial are two subjects") {
    const owned_row token(0, operation_id::enable, "1"), device(0, operation_id::enable_ds100, "1"),
        other(0, operation_id::disable, "1", user_b);
    CHECK(subject_of(token.view()) == subject_of(other.view()));
    CHECK_FALSE(subject_of(token.view()) == subject_of(device.view()));
}

TEST_CASE("mapper: columns are found whatever their case and place; others travel along") {
    auto m = mapper();
    row_view r;
    const auto rec = make({{"Ticket", {"T-1"}},
                           {"TOKENSERIALNUMBER", {"01"}},
                           {"userid", {user_a}},
                           {"Operation", {"Enable"}}});
    REQUIRE_FALSE(m.map(rec, 4, r));
    CHECK(r.operation == operation_id::enable);
    CHECK(r.get(field::token_serial) == "01");
    CHECK(r.index == 4);
    CHECK(r.line == 7);
}

TEST_CASE("mapper: --map and --operation") {
    auto m = mapper({.map = {{"tokenSerialNumber", "Serial No"}, {"userid", "UID"}}, .operation = "disable"});
    row_view r;
    REQUIRE_FALSE(m.map(make({{"serial no", {"01"}}, {"UID", {user_a}}}), 0, r));
    CHECK(r.operation == operation_id::disable);
    CHECK(m.map(make({{"tokenSerialNumber", {"01"}}, {"UID", {user_a}}}), 0, r)->column == "Serial No");
    CHECK(m.map(make({{"operation", {"enable"}}, {"serial no", {"01"}}, {"UID", {user_a}}}), 0, r));
    CHECK(row_mapper::create({.map = {{"serial", "x"}}, .operation = ""}).has_error());
    CHECK(row_mapper::create({.map = {}, .operation = "delete"}).has_error());
}

TEST_CASE("mapper: every way in which a row can be wrong is named with its column") {
    auto m = mapper();
    row_view r;
    const auto problem = [&](std::vector<std::pair<std::string_view, cell>> cells) {
        const auto p = m.map(make(std::move(cells)), 0, r);
        REQUIRE(p);
        return p->text();
    };
    const cell uid{user_a};
    CHECK(problem({{"operation", {"assing"}}, {"userId", uid}})
              .find("operation 'assing' is unknown; is 'assign' meant?") == 0);
    CHECK(problem({{"operation", {""}}, {"userId", uid}}) == "operation is missing");
    CHECK(problem({{"userId", uid}}) == "operation is missing");
    CHECK(problem({{"operation", {"enable"}}, {"userId", uid}}) ==
          "tokenSerialNumber is missing; enable needs it");
    CHECK(problem({{"operation", {"enable-ds100"}}, {"userId", uid}}) ==
          "deviceSerialNumber is missing; enable-ds100 needs it");
    CHECK(problem({{"operation", {"enable"}}, {"userId", {"x"}}, {"tokenSerialNumber", {"1"}}})
              .find("userId is not a UUID") == 0);
    CHECK(problem({{"operation", {"enable"}}, {"userId", uid}, {"tokenSerialNumber", {"123", true}}})
              .find("tokenSerialNumber must be a string in quotes") == 0);
    CHECK(problem({{"operation", {"enable"}},
                   {"userId", uid},
                   {"tokenSerialNumber", {"1"}},
                   {"TokenSerialNumber", {"1"}}}) == "TokenSerialNumber is given twice");
    record malformed;
    malformed.problem = "has 2 fields; the header has 3";
    CHECK(m.map(malformed, 0, r)->text() == malformed.problem);
}

TEST_CASE("mapper: of a bad row all fields are read, wherever the problem stands") {
    auto m = mapper();
    row_view r;
    CHECK(m.map(make({{"operation", {"asign"}}, {"userId", {user_a}}, {"tokenSerialNumber", {"7"}}}), 0, r));
    CHECK(r.get(field::token_serial) == "7");
    CHECK(m.map(make({{"userId", {"1", true}}, {"tokenSerialNumber", {"7"}}, {"operation", {"assign"}}}), 0,
                r));
    CHECK(r.get(field::token_serial) == "7");
}

TEST_CASE("mapper: null and empty optional fields are not given") {
    auto m = mapper();
    row_view r;
    REQUIRE_FALSE(m.map(make({{"operation", {"assign"}},
                              {"userId", {user_a}},
                              {"tokenSerialNumber", {"1"}},
                              {"tokenName", {"null", true}},
                              {"deviceSerialNumber", {""}}}),
                        0, r));
    CHECK(r.get(field::token_name).empty());
}

TEST_CASE(
    "mapper: a header without what every row needs is refused, with a hint where a column is misspelt") {
    const auto m = mapper();
    const auto says = [&](std::vector<std::string_view> names) {
        const auto r = m.check_header(names);
        return r ? std::string() : r.error().message;
    };
    CHECK(says({"operation", "userId", "tokenSerialNumber"}).empty());
    CHECK(says({"operation", "userId", "deviceSerialNumber"}).empty());
    CHECK(says({"userId", "tokenSerialNumber"}).find("no column 'operation'") != std::string::npos);
    CHECK(says({"operation", "user_id_", "tokenSerialNumber"}).find("is 'user_id_' meant?") !=
          std::string::npos);
    CHECK(says({"operation", "userId", "tokenSerialNumbr"}).find("'tokenSerialNumbr'") != std::string::npos);
    CHECK(says({"operation", "userId", "USERID", "tokenSerialNumber"}).find("same field") !=
          std::string::npos);
    CHECK(says({"operation;userId;tokenSerialNumber"}).find("separated by commas") != std::string::npos);
    CHECK(m.suspicious_columns({"operation", "userId", "tokenSerialNumber", "tokenNmae"}).size() == 1);
    CHECK(m.suspicious_columns({"operation", "userId", "tokenSerialNumber", "ticket"}).empty());
}
