// The schema and its statements.
#include "samples/tenant/store.hpp"

#include "samples/tenant/sql.hpp"

#include <utility>

namespace tenant {
namespace {

constexpr const char* schema = R"(
CREATE TABLE users(user_id TEXT PRIMARY KEY, email TEXT NOT NULL, status TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE tokens(serial TEXT PRIMARY KEY, user_id TEXT, state TEXT NOT NULL, status TEXT NOT NULL,
    name TEXT, expiry TEXT NOT NULL, assigned_at TEXT, assigned_by TEXT,
    status_changed_at TEXT, status_changed_by TEXT) WITHOUT ROWID;
CREATE TABLE devices(serial TEXT PRIMARY KEY, user_id TEXT, token_serial TEXT NOT NULL, status TEXT NOT NULL,
    status_changed_at TEXT, status_changed_by TEXT) WITHOUT ROWID;
CREATE TABLE audit(id INTEGER PRIMARY KEY, at TEXT NOT NULL, admin TEXT NOT NULL, operation TEXT NOT NULL,
    user_id TEXT, serial TEXT, http_status INTEGER NOT NULL, changed INTEGER NOT NULL);
CREATE TABLE admins(access_id TEXT PRIMARY KEY, role TEXT NOT NULL, public_key TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE settings(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)";

constexpr const char* insert_token = "INSERT INTO tokens VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr const char* insert_device = "INSERT INTO devices VALUES(?,?,?,?,?,?)";

TokenState state_named(std::string_view text) {
    for (const auto state : {TokenState::unassigned, TokenState::activation_pending, TokenState::activated}) {
        if (text_of(state) == text) return state;
    }
    throw StoreError("the tenant's database holds an unknown token state: " + std::string(text));
}

Status status_named(std::string_view text) {
    for (const auto status : {Status::enabled, Status::disabled}) {
        if (text_of(status) == text) return status;
    }
    throw StoreError("the tenant's database holds an unknown status: " + std::string(text));
}

sqlite3* open_database(const std::filesystem::path& file, int flags) {
    sqlite3* db = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &db, flags, nullptr);
    if (code == SQLITE_OK) return db;
    std::string reason = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
    sqlite3_close(db);
    throw StoreError("cannot open " + file.string() + ": " + reason);
}

void insert_all(sqlite3* db, const Snapshot& snapshot) {
    Statement user(db, "INSERT INTO users VALUES(?,?,?)");
    for (const auto& row : snapshot.users) {
        user.bind(row.user_id, row.email, text_of(row.status)).step_done();
    }
    Statement token(db, insert_token);
    for (const auto& row : snapshot.tokens) {
        token
            .bind(row.serial, row.user_id, text_of(row.state), text_of(row.status), row.name, row.expiry,
                  row.assigned_at, row.assigned_by, row.status_changed_at, row.status_changed_by)
            .step_done();
    }
    Statement device(db, insert_device);
    for (const auto& row : snapshot.devices) {
        device
            .bind(row.serial, row.user_id, row.token_serial, text_of(row.status), row.status_changed_at,
                  row.status_changed_by)
            .step_done();
    }
    Statement admin(db, "INSERT INTO admins VALUES(?,?,?)");
    for (const auto& row : snapshot.admins) {
        admin.bind(row.access_id, text_of(row.role), row.public_key).step_done();
    }
    Statement setting(db, "INSERT INTO settings VALUES('audience',?)");
    setting.bind(snapshot.audience).step_done();
}

}  // namespace

struct Store::Statements {
    explicit Statements(sqlite3* db)
        : begin(db, "BEGIN IMMEDIATE"),
          commit(db, "COMMIT"),
          token(db,
                "UPDATE tokens SET user_id=?2, state=?3, status=?4, name=?5, assigned_at=?6, assigned_by=?7, "
                "status_changed_at=?8, status_changed_by=?9 WHERE serial=?1"),
          device(db,
                 "UPDATE devices SET status=?2, status_changed_at=?3, status_changed_by=?4 WHERE serial=?1"),
          token_removed(db, "DELETE FROM tokens WHERE serial=?"),
          device_removed(db, "DELETE FROM devices WHERE serial=?"),
          audit(db,
                "INSERT INTO audit(at, admin, operation, user_id, serial, http_status, changed) "
                "VALUES(?,?,?,?,?,?,?)") {}

    void operator()(std::monostate) {}
    void operator()(const Token& row) {
        token
            .bind(row.serial, row.user_id, text_of(row.state), text_of(row.status), row.name, row.assigned_at,
                  row.assigned_by, row.status_changed_at, row.status_changed_by)
            .step_done();
    }
    void operator()(const Device& row) {
        device.bind(row.serial, text_of(row.status), row.status_changed_at, row.status_changed_by)
            .step_done();
    }
    void operator()(const TokenRemoved& row) { token_removed.bind(row.serial).step_done(); }
    void operator()(const DeviceRemoved& row) { device_removed.bind(row.serial).step_done(); }

    Statement begin, commit, token, device, token_removed, device_removed, audit;
};

void Store::Close::operator()(sqlite3* db) const {
    sqlite3_close(db);
}

void Store::create(const std::filesystem::path& file, const Snapshot& snapshot) {
    if (std::filesystem::exists(file)) throw StoreError(file.string() + " exists already");
    const std::unique_ptr<sqlite3, Close> db(
        open_database(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX));
    execute(db.get(), "BEGIN");
    execute(db.get(), schema);
    insert_all(db.get(), snapshot);
    execute(db.get(), "COMMIT");
    execute(db.get(), "PRAGMA journal_mode=WAL");
}

Store::Store(const std::filesystem::path& file, Sync sync)
    : db_(open_database(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX)) {
    sqlite3_busy_timeout(db_.get(), 10'000);  // another process may hold it for the moment of a checkpoint
    execute(db_.get(), "PRAGMA journal_mode=WAL");
    execute(db_.get(), sync == Sync::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    execute(db_.get(), "PRAGMA cache_size=-65536");
    statements_ = std::make_unique<Statements>(db_.get());
}

Store::~Store() = default;
Store::Store(Store&&) noexcept = default;

Snapshot Store::load() {
    Snapshot snapshot;
    Statement users(db_.get(), "SELECT user_id, email, status FROM users");
    while (users.step_row()) {
        snapshot.users.push_back({users.text(0), users.text(1), status_named(users.text(2))});
    }
    Statement tokens(db_.get(),
                     "SELECT serial, user_id, state, status, name, expiry, assigned_at, assigned_by, "
                     "status_changed_at, status_changed_by FROM tokens");
    while (tokens.step_row()) {
        snapshot.tokens.push_back({tokens.text(0), tokens.text(1), state_named(tokens.text(2)),
                                   status_named(tokens.text(3)), tokens.text(4), tokens.text(5),
                                   tokens.text(6), tokens.text(7), tokens.text(8), tokens.text(9)});
    }
    Statement devices(db_.get(),
                      "SELECT serial, user_id, token_serial, status, status_changed_at, status_changed_by "
                      "FROM devices");
    while (devices.step_row()) {
        snapshot.devices.push_back({devices.text(0), devices.text(1), devices.text(2),
                                    status_named(devices.text(3)), devices.text(4), devices.text(5)});
    }
    Statement admins(db_.get(), "SELECT access_id, role, public_key FROM admins");
    while (admins.step_row()) {
        const bool super = admins.text(1) == text_of(Role::super_admin);
        snapshot.admins.push_back(
            {admins.text(0), super ? Role::super_admin : Role::help_desk, admins.text(2)});
    }
    Statement audience(db_.get(), "SELECT value FROM settings WHERE name='audience'");
    while (audience.step_row()) snapshot.audience = audience.text(0);
    return snapshot;
}

void Store::commit(std::span<const Write> writes) {
    auto& run = *statements_;
    run.begin.step_done();
    try {
        for (const auto& [change, row] : writes) {
            std::visit(run, change);
            run.audit
                .bind(row.at, row.admin, row.operation, row.user_id, row.serial, row.http_status,
                      static_cast<int>(row.changed))
                .step_done();
        }
        run.commit.step_done();
    } catch (const StoreError&) {
        sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
        throw;
    }
}

}  // namespace tenant
