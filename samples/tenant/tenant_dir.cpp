// Writing the files. Private keys are readable by their owner alone, from their first byte on.
#include "samples/tenant/tenant_dir.hpp"

#include "samples/tenant/certificates.hpp"
#include "samples/tenant/store.hpp"
#include "samples/tenant/text.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <string_view>
#include <sys/file.h>
#include <unistd.h>

namespace tenant {
namespace {

namespace fs = std::filesystem;

constexpr mode_t owner_only = 0600;
constexpr mode_t everyone_reads = 0644;

[[noreturn]] void fail(const fs::path& file, std::string_view verb) {
    throw DirectoryError(fmt::format("cannot {} {}: {}", verb, file.string(), std::strerror(errno)));
}

/// Creates a file that must not exist.
void write_new(const fs::path& file, std::string_view content, mode_t mode) {
    const int out = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (out < 0) fail(file, "create");
    while (!content.empty()) {
        const auto written = ::write(out, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            const int reason = errno;
            ::close(out);
            errno = reason;
            fail(file, "write");
        }
        content.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::close(out) != 0) fail(file, "write");
}

std::string key_file(const Snapshot& snapshot, const Admin& admin, const ApiKey& key) {
    return fmt::format(
        "{{\"customerName\":\"Muster Sandbox\",\"accessID\":{},\"description\":{},\"accessKey\":{},"
        "\"adminRestApiUrl\":{}}}\n",
        json_string(admin.access_id),
        json_string(admin.role == Role::super_admin ? "Super Administrator of the sandbox tenant"
                                                    : "Help Desk Administrator of the sandbox tenant"),
        json_string(key.private_key), json_string(snapshot.audience));
}

std::string users_csv(const Snapshot& snapshot) {
    std::string csv = "userId,email,status\n";
    for (const auto& user : snapshot.users) {
        csv += fmt::format("{},{},{}\n", user.user_id, user.email, text_of(user.status));
    }
    return csv;
}

std::string tokens_csv(const Snapshot& snapshot) {
    std::string csv = "tokenSerialNumber,expiryDate\n";
    for (const auto& token : snapshot.tokens) csv += fmt::format("{},{}\n", token.serial, token.expiry);
    return csv;
}

std::string devices_csv(const Snapshot& snapshot) {
    std::string csv = "deviceSerialNumber,userId\n";
    for (const auto& device : snapshot.devices) csv += fmt::format("{},{}\n", device.serial, device.user_id);
    return csv;
}

void refuse_existing(const TenantFiles& files) {
    for (const auto* file : {&files.database, &files.ca, &files.certificate, &files.key, &files.help_desk_key,
                             &files.super_admin_key, &files.users, &files.tokens, &files.devices}) {
        if (!fs::exists(*file)) continue;
        throw DirectoryError(
            fmt::format("{} exists already; a tenant is never overwritten. Choose another directory "
                        "or remove this one first.",
                        file->string()));
    }
}

}  // namespace

TenantFiles::TenantFiles(const fs::path& directory)
    : database(directory / "tenant.db"),
      ca(directory / "ca.pem"),
      certificate(directory / "server.pem"),
      key(directory / "server.key"),
      help_desk_key(directory / "help-desk.key"),
      super_admin_key(directory / "super-admin.key"),
      users(directory / "users.csv"),
      tokens(directory / "tokens.csv"),
      devices(directory / "devices.csv"),
      lock(directory / "tenant.lock") {}

void init_tenant(const fs::path& directory, const PopulationOptions& options) {
    const TenantFiles files(directory);
    std::error_code failed;
    fs::create_directories(directory, failed);
    if (failed)
        throw DirectoryError(fmt::format("cannot create {}: {}", directory.string(), failed.message()));
    refuse_existing(files);

    auto snapshot = make_population(options);
    for (auto& admin : snapshot.admins) {
        const auto key = make_api_key();
        admin.public_key = key.public_key;
        write_new(admin.role == Role::super_admin ? files.super_admin_key : files.help_desk_key,
                  key_file(snapshot, admin, key), owner_only);
    }
    const auto identity = make_server_identity();
    write_new(files.ca, identity.ca_certificate, everyone_reads);
    write_new(files.certificate, identity.certificate, everyone_reads);
    write_new(files.key, identity.key, owner_only);
    write_new(files.users, users_csv(snapshot), everyone_reads);
    write_new(files.tokens, tokens_csv(snapshot), everyone_reads);
    write_new(files.devices, devices_csv(snapshot), everyone_reads);
    const auto unfinished = fs::path(files.database.string() + ".new");
    fs::remove(unfinished);
    Store::create(unfinished, snapshot);
    fs::rename(unfinished, files.database);
}

TenantLock::TenantLock(const fs::path& file)
    : file_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, owner_only)) {
    if (file_ < 0) fail(file, "open");
    if (::flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(file_);
    throw DirectoryError(
        fmt::format("another muster-tenant is serving {}", fs::path(file).parent_path().string()));
}

TenantLock::~TenantLock() {
    ::close(file_);
}

}  // namespace tenant
