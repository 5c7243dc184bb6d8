#include "engine/operation.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace muster;

TEST_CASE("operations: each is found by its name, whatever the case") {
    for (const operation& op : operations()) {
        CHECK(find_operation(op.name) == &op);
        CHECK(&operation_of(op.id) == &op);
    }
    CHECK(find_operation("ENABLE-DS100")->id == operation_id::enable_ds100);
    CHECK(find_operation("assing") == nullptr);
    CHECK(nearest_operation("assing") == "assign");
    CHECK(nearest_operation("enable_ds100") == "enable-ds100");
    CHECK(nearest_operation("delete").empty());
}

TEST_CASE("operations: only assign may not be repeated unasked") {
    for (const operation& op : operations()) CHECK(op.idempotent == (op.id != operation_id::assign));
}

TEST_CASE("fields: a user ID is a UUID, in either case") {
    CHECK_FALSE(check_field(field::user_id, "eb2e12ae-1112-451b-98e1-dfe4e6afd60d"));
    CHECK_FALSE(check_field(field::user_id, "EB2E12AE-1112-451B-98E1-DFE4E6AFD60D"));
    const std::string good = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d";
    for (std::size_t i = 0; i < good.size(); ++i) {
        auto bad = good;
        bad[i] = bad[i] == '-' ? '0' : 'g';
        CHECK(check_field(field::user_id, bad));
        CHECK(check_field(field::user_id, good.substr(0, i)));
    }
    CHECK(check_field(field::user_id, good + "0"));
}

TEST_CASE("fields: a serial has 1 to 36 characters and nothing that could leave its place") {
    CHECK_FALSE(check_field(field::token_serial, "000123456789"));
    CHECK_FALSE(check_field(field::token_serial, std::string(36, '7')));
    CHECK(check_field(field::token_serial, std::string(37, '7')));
    for (const std::string bad :
         {"12 34", " 1234", "1234\n", "12/34", "..", "1.2E+11", "12\r\n34", "12%2f", "1\"2", "Ω12"})
        CHECK_MESSAGE(check_field(field::token_serial, bad), bad);
    CHECK(check_field(field::device_serial, "1.23457E+11")->find("spreadsheet") != std::string::npos);
}

TEST_CASE("fields: a name's length is counted in characters") {
    std::string name;
    for (int i = 0; i < 255; ++i) name += "😀";
    CHECK_FALSE(check_field(field::token_name, name));
    CHECK(check_field(field::token_name, name + "x"));
    CHECK_FALSE(check_field(field::token_name, "a \"quoted\",\r\n\\ name\xE2\x80\xA8"));
    CHECK(check_field(field::token_name, std::string("a\0b", 3)));
}
