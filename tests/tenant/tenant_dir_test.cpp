// `init`: the same seed makes the same tenant, byte for byte, and nothing is ever overwritten.
#include "samples/tenant/tenant_dir.hpp"

#include "samples/tenant/jwt.hpp"
#include "samples/tenant/store.hpp"
#include "samples/tenant/text.hpp"
#include "tests/tenant/temporary_directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

using namespace tenant;
using namespace tenant_test;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

constexpr PopulationOptions small{.users = 50, .tokens = 60, .devices = 20, .seed = 9};

}  // namespace

TEST_CASE("init: the same seed makes the same CSV files, another seed others") {
    const TemporaryDirectory one, same, other;
    init_tenant(one.path() / "t", small);
    init_tenant(same.path() / "t", small);
    auto options = small;
    options.seed = 10;
    init_tenant(other.path() / "t", options);
    for (const char* name : {"users.csv", "tokens.csv", "devices.csv"}) {
        CAPTURE(name);
        const auto text = content(one.path() / "t" / name);
        CHECK_FALSE(text.empty());
        CHECK(content(same.path() / "t" / name) == text);
        CHECK(content(other.path() / "t" / name) != text);
    }
    CHECK(content(one.path() / "t" / "help-desk.key") != content(same.path() / "t" / "help-desk.key"));
}

TEST_CASE("init: files have their headers and modes, and the keys verify") {
    const TemporaryDirectory directory;
    init_tenant(directory.path(), small);
    const TenantFiles files(directory.path());
    CHECK(content(files.users).starts_with("userId,email,status\n"));
    CHECK(content(files.tokens).starts_with("tokenSerialNumber,expiryDate\n"));
    CHECK(content(files.devices).starts_with("deviceSerialNumber,userId\n"));
    for (const auto& file : {files.help_desk_key, files.super_admin_key, files.key}) {
        CHECK((fs::status(file).permissions() & fs::perms::all) ==
              (fs::perms::owner_read | fs::perms::owner_write));
    }
    const auto key = content(files.help_desk_key);
    CHECK(key.find(R"("accessKey":"-----BEGIN RSA PRIVATE KEY-----\n)") != std::string::npos);
    CHECK(key.find(R"("adminRestApiUrl":"https://localhost:8443/AdminInterface/restapi/v1")") !=
          std::string::npos);
    const auto snapshot = Store(files.database).load();
    REQUIRE(snapshot.admins.size() == 2);
    CHECK_NOTHROW(JwtVerifier(snapshot.admins, snapshot.audience));
}

TEST_CASE("init: refuses where any of its files exists, and leaves it alone") {
    const TemporaryDirectory directory;
    std::ofstream(directory.path() / "tokens.csv") << "mine";
    CHECK_THROWS_AS(init_tenant(directory.path(), small), DirectoryError);
    CHECK(content(directory.path() / "tokens.csv") == "mine");
    CHECK_FALSE(fs::exists(directory.path() / "tenant.db"));
}

TEST_CASE("init: the population is what was asked for") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CAPTURE(seed);
        const auto made = make_population({.users = 1000, .tokens = 1500, .devices = 300, .seed = seed});
        std::set<std::string> users, enabled, tokens, devices;
        for (const auto& user : made.users) {
            CHECK(is_uuid(user.user_id));
            users.insert(user.user_id);
            if (user.status == Status::enabled) enabled.insert(user.user_id);
        }
        CHECK(users.size() == 1000);
        CHECK(enabled.size() < 1000);
        CHECK(enabled.size() > 950);
        long expired = 0;
        for (const auto& token : made.tokens) {
            CHECK(is_digits(token.serial, 12));
            CHECK(token.serial.size() == 12);
            CHECK(token.serial[0] == '0');
            CHECK(token.state == TokenState::unassigned);
            CHECK(token.status == Status::disabled);
            tokens.insert(token.serial);
            expired += token.expiry < "2025" ? 1 : 0;
        }
        CHECK(tokens.size() == 1500);
        CHECK(expired > 5);
        CHECK(expired < 75);
        for (const auto& device : made.devices) {
            CHECK(device.serial.size() == 9);
            CHECK(device.token_serial.size() == 12);
            CHECK(enabled.contains(device.user_id));
            devices.insert(device.serial);
        }
        CHECK(devices.size() == 300);
    }
}

TEST_CASE("init: small and empty tenants") {
    const auto ten = make_population({.users = 10, .tokens = 10, .devices = 10, .seed = 3});
    const auto is_disabled = [](const User& user) { return user.status == Status::disabled; };
    CHECK(std::ranges::any_of(ten.users, is_disabled));
    CHECK(std::ranges::any_of(ten.tokens, [](const Token& token) { return token.expiry < "2025"; }));
    const auto none = make_population({.users = 0, .tokens = 0, .devices = 10, .seed = 3});
    CHECK(none.devices.empty());
    const auto one = make_population({.users = 1, .tokens = 1, .devices = 1, .seed = 3});
    CHECK(one.users.size() == 1);
}

TEST_CASE("init: one process serves a tenant") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "tenant.lock";
    {
        const TenantLock lock(file);
        CHECK_THROWS_AS(TenantLock{file}, DirectoryError);
    }
    CHECK_NOTHROW(TenantLock{file});
}
