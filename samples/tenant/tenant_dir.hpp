// A tenant's directory: which files it consists of, how `init` makes them, and the lock that `serve` holds.
#pragma once

#include "samples/tenant/population.hpp"

#include <filesystem>
#include <stdexcept>
#include <string>

namespace tenant {

/// Something about the directory keeps the command from being done; the message says what.
class DirectoryError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The names of a tenant's files below its directory.
struct TenantFiles {
    explicit TenantFiles(const std::filesystem::path& directory);

    std::filesystem::path database, ca, certificate, key, help_desk_key, super_admin_key, users, tokens,
        devices, lock;
};

/// Makes a tenant. Refuses to touch any file that exists; tenant.db comes last, so a directory without it is
/// no tenant. Throws DirectoryError.
void init_tenant(const std::filesystem::path& directory, const PopulationOptions& options);

/// Held while a tenant is served, so that no second process decides from a state of its own.
class TenantLock {
  public:
    /// Throws DirectoryError when another process holds it.
    explicit TenantLock(const std::filesystem::path& file);
    ~TenantLock();
    TenantLock(const TenantLock&) = delete;
    TenantLock& operator=(const TenantLock&) = delete;

  private:
    int file_;
};

}  // namespace tenant
