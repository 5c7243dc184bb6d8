// tenant.db: what is created is loaded again, batches are all or nothing, and a restart sees what was
// committed.
#include "samples/tenant/store.hpp"

#include "samples/tenant/population.hpp"
#include "samples/tenant/tenant_state.hpp"
#include "tests/tenant/temporary_directory.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace tenant;
using namespace tenant_test;
using namespace std::chrono_literals;

namespace {

Snapshot small_snapshot() {
    auto snapshot = make_population({.users = 20, .tokens = 30, .devices = 10, .seed = 5});
    for (auto& admin : snapshot.admins) admin.public_key = "PEM of " + admin.access_id;
    return snapshot;
}

/// One value of a query, as another process would read it.
std::string query(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
    std::string out;
    const auto take = [](void* into, int columns, char** values, char**) {
        auto& text = *static_cast<std::string*>(into);
        for (int i = 0; i < columns; ++i) {
            if (!text.empty()) text += '|';
            text += values[i] != nullptr ? values[i] : "NULL";
        }
        return 0;
    };
    CHECK(sqlite3_exec(db, sql.c_str(), take, &out, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    return out;
}

Write write_of(Change change, int status) {
    AuditRow audit;
    audit.at = "2023-11-14T22:13:20.123Z";
    audit.admin = "someone";
    audit.operation = "assign";
    audit.http_status = status;
    audit.changed = change.index() != 0;
    return {std::move(change), std::move(audit)};
}

}  // namespace

TEST_CASE("store: a tenant is loaded as it was created") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "tenant.db";
    const auto made = small_snapshot();
    Store::create(file, made);
    const auto loaded = Store(file).load();
    REQUIRE(loaded.users.size() == made.users.size());
    REQUIRE(loaded.tokens.size() == made.tokens.size());
    REQUIRE(loaded.devices.size() == made.devices.size());
    REQUIRE(loaded.admins.size() == 2);
    CHECK(loaded.audience == made.audience);
    CHECK(loaded.tokens[3].serial == made.tokens[3].serial);
    CHECK(loaded.tokens[3].expiry == made.tokens[3].expiry);
    CHECK(loaded.tokens[3].user_id.empty());
    CHECK_THROWS_AS(Store::create(file, made), StoreError);
}

TEST_CASE("store: the tables that others query have the columns they know") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "tenant.db";
    Store::create(file, small_snapshot());
    const auto columns = [&](const std::string& table) {
        return query(file, "SELECT group_concat(name, ',') FROM pragma_table_info('" + table + "')");
    };
    CHECK(columns("users") == "user_id,email,status");
    CHECK(columns("tokens") ==
          "serial,user_id,state,status,name,expiry,assigned_at,assigned_by,status_changed_at,status_changed_"
          "by");
    CHECK(columns("devices") == "serial,user_id,token_serial,status,status_changed_at,status_changed_by");
    CHECK(columns("audit") == "id,at,admin,operation,user_id,serial,http_status,changed");
    CHECK(query(file, "SELECT DISTINCT state, status FROM tokens") == "Unassigned|Disabled");
    CHECK(query(file, "SELECT DISTINCT status FROM devices") == "Disabled");
}

TEST_CASE("store: a batch is there after a restart, changes with their audit rows") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "tenant.db";
    const auto made = small_snapshot();
    Store::create(file, made);
    auto token = made.tokens[0];
    token.user_id = made.users[0].user_id;
    token.state = TokenState::activation_pending;
    token.name = "it's \"mine\"";
    auto device = made.devices[0];
    device.status = Status::enabled;
    {
        Store store(file);
        const std::vector<Write> writes{write_of(token, 200), write_of(device, 200), write_of({}, 409),
                                        write_of(TokenRemoved{made.tokens[1].serial}, 200),
                                        write_of(DeviceRemoved{made.devices[1].serial}, 200)};
        store.commit(writes);
        CHECK(query(file, "SELECT count(*), sum(changed) FROM audit") == "5|4");  // while it is open
    }
    TenantState state(Store(file).load());
    REQUIRE(state.token(token.serial) != nullptr);
    CHECK(state.token(token.serial)->name == token.name);
    CHECK(state.token(token.serial)->state == TokenState::activation_pending);
    CHECK(state.device(device.serial)->status == Status::enabled);
    CHECK(state.token(made.tokens[1].serial) == nullptr);
    CHECK(state.device(made.devices[1].serial) == nullptr);
}

TEST_CASE("store: a batch that fails in the middle leaves nothing") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "tenant.db";
    const auto made = small_snapshot();
    Store::create(file, made);
    {
        sqlite3* db = nullptr;
        REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
        REQUIRE(sqlite3_exec(db,
                             "CREATE TRIGGER full BEFORE INSERT ON audit WHEN NEW.http_status=599 "
                             "BEGIN SELECT RAISE(ABORT, 'no room'); END",
                             nullptr, nullptr, nullptr) == SQLITE_OK);
        sqlite3_close(db);
    }
    Store store(file);
    auto token = made.tokens[0];
    token.state = TokenState::activated;
    const std::vector<Write> bad{write_of(token, 200), write_of({}, 599)};
    CHECK_THROWS_WITH_AS(store.commit(bad), "the tenant's database failed: no room", StoreError);
    CHECK(query(file, "SELECT count(*) FROM audit") == "0");
    CHECK(query(file, "SELECT count(*) FROM tokens WHERE state<>'Unassigned'") == "0");
    const std::vector<Write> good{write_of(token, 200)};
    store.commit(good);
    CHECK(query(file, "SELECT count(*) FROM audit") == "1");
}

TEST_CASE("store: a file that is no database, or not there, is refused with its name") {
    const TemporaryDirectory directory;
    CHECK_THROWS_AS(Store(directory.path() / "none.db"), StoreError);
}
