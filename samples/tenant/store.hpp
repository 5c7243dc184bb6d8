// tenant.db: the tenant's tables in SQLite, created by `init`, read whole at start, then only written.
//
// Four tables are an interface (users, tokens, devices, audit: tests and scripts query them); `admins` and
// `settings` are the tenant's own. A batch of writes is one transaction, so each change stands with its audit
// row or not at all. WAL mode lets others read while the tenant serves.
#pragma once

#include "samples/tenant/model.hpp"

#include <filesystem>
#include <memory>
#include <span>
#include <stdexcept>

struct sqlite3;

namespace tenant {

/// What a commit survives: the end of this process always, and with `full` a power failure too (one fsync a
/// batch).
enum class Sync { full, normal };

/// The database failed (disk full, damaged, locked): the message says what was tried and SQLite's reason.
class StoreError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Store {
  public:
    /// Makes a new database holding `snapshot`; throws StoreError, also when the file exists.
    static void create(const std::filesystem::path& file, const Snapshot& snapshot);

    /// Opens an existing one for serving; throws StoreError.
    explicit Store(const std::filesystem::path& file, Sync sync = Sync::normal);
    ~Store();
    Store(Store&&) noexcept;
    Store& operator=(Store&&) = delete;

    /// Reads everything but the audit; throws StoreError.
    [[nodiscard]] Snapshot load();

    /// Commits all of `writes`, in order, in one transaction, or none and throws StoreError. One thread at a
    /// time.
    void commit(std::span<const Write> writes);

  private:
    struct Statements;
    struct Close {
        void operator()(sqlite3* db) const;
    };

    std::unique_ptr<sqlite3, Close> db_;
    std::unique_ptr<Statements> statements_;  ///< after db_: they must go first
};

}  // namespace tenant
