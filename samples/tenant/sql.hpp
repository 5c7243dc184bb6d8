// The few calls of SQLite that the store needs, with ownership and errors in C++ terms. Internal to
// store.cpp.
#pragma once

#include "samples/tenant/store.hpp"

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tenant {

/// One prepared statement, used over and over. Texts bound to it must live until step_done or the last row.
class Statement {
  public:
    Statement(sqlite3* db, const char* sql) {
        sqlite3_stmt* made = nullptr;
        if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr) != SQLITE_OK) {
            throw StoreError(std::string("cannot prepare '") + sql + "': " + sqlite3_errmsg(db));
        }
        handle_.reset(made);
    }

    /// Binds the parameters in order: texts (empty is NULL) and integers.
    template <typename... Values>
    Statement& bind(const Values&... values) {
        int index = 0;
        (bind_one(++index, values), ...);
        return *this;
    }

    /// Runs a statement that returns no rows.
    void step_done() {
        const int code = sqlite3_step(handle_.get());
        if (code != SQLITE_DONE) fail();
        sqlite3_reset(handle_.get());
    }

    /// Moves to the next row; false after the last.
    [[nodiscard]] bool step_row() {
        const int code = sqlite3_step(handle_.get());
        if (code != SQLITE_ROW && code != SQLITE_DONE) fail();
        if (code == SQLITE_DONE) sqlite3_reset(handle_.get());
        return code == SQLITE_ROW;
    }

    /// A column of the current row; NULL is the empty text.
    [[nodiscard]] std::string text(int column) const {
        const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
        if (data == nullptr) return {};
        return {data, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
    }

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };

    void bind_one(int index, std::string_view value) {
        const int code = value.empty() ? sqlite3_bind_null(handle_.get(), index)
                                       : sqlite3_bind_text(handle_.get(), index, value.data(),
                                                           static_cast<int>(value.size()), SQLITE_STATIC);
        if (code != SQLITE_OK) fail();
    }
    void bind_one(int index, int value) {
        if (sqlite3_bind_int(handle_.get(), index, value) != SQLITE_OK) fail();
    }
    [[noreturn]] void fail() {
        sqlite3* db = sqlite3_db_handle(handle_.get());
        std::string message = sqlite3_errmsg(db);
        sqlite3_reset(handle_.get());
        throw StoreError("the tenant's database failed: " + message);
    }

    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

/// Runs statements that take no parameters and return nothing of interest.
inline void execute(sqlite3* db, const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        throw StoreError(std::string("the tenant's database failed: ") + sqlite3_errmsg(db));
    }
}

}  // namespace tenant
