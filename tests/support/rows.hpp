// Rows for tests, made of readable parts.
#pragma once

#include "engine/job.hpp"

#include <fmt/format.h>

#include <string>

namespace muster::test {

inline const std::string user_a = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d";
inline const std::string user_b = "86beae30-8706-4a41-8b02-d6092ed3f896";

/// A row with the text it borrows.
struct owned_row {
    row what;
    owned_row(std::uint64_t index, operation_id op, const std::string& serial,
              const std::string& user = user_a, const std::string& name = {}) {
        row_view v{.index = index, .line = index + 2, .operation = op};
        v.fields[static_cast<std::size_t>(field::user_id)] = user;
        v.fields[static_cast<std::size_t>(operation_of(op).subject)] = serial;
        v.fields[static_cast<std::size_t>(field::token_name)] = name;
        what = row(v);
    }
    [[nodiscard]] row_view view() const { return what.view(); }
};

inline std::string token_reply(const std::string& serial, const std::string& user, const std::string& member,
                               const std::string& state) {
    return fmt::format(
        R"({{"userId":"{}","tokenSerialNumber":"{}","{}":"{}","assignedAt":"2021-06-13T04:38:51.961Z",)"
        R"("assignedBy":"admin@x","tokenStatusChangedAt":"2021-06-13T04:38:51.961Z",)"
        R"("tokenStatusChangedBy":"admin@x"}})",
        user, serial, member, state);
}

}  // namespace muster::test
