// The invention. Every kind of thing draws from a generator of its own, so that asking for more tokens does
// not change the users. Dates are fixed: a tenant made next year from the same seed is the same.
#include "samples/tenant/population.hpp"

#include "samples/tenant/random.hpp"
#include "samples/tenant/text.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace tenant {
namespace {

constexpr std::array<std::string_view, 24> first_names{
    "ada",   "alan",  "barbara", "claude",    "donald", "edsger",   "frances",   "grace",
    "hedy",  "ivan",  "jean",    "katherine", "linus",  "margaret", "niklaus",   "ole",
    "peter", "radia", "shafi",   "tim",       "ursula", "vint",     "whitfield", "yukihiro"};
constexpr std::array<std::string_view, 24> last_names{
    "allen",   "backus",  "cerf",      "diffie",   "engelbart", "floyd", "goldwasser", "hopper",
    "iverson", "johnson", "kernighan", "lovelace", "milner",    "naur",  "olsen",      "perlman",
    "ritchie", "shannon", "thompson",  "ullman",   "wirth",     "yao",   "zuse",       "hamilton"};

/// Two in a hundred, and always the seventh, so that ten are enough to have one.
bool is_odd_one(std::size_t index, Random& random) {
    return random.below(100) < 2 || index == 6;
}

Random generator(std::uint64_t seed, std::uint64_t purpose) {
    Random mixed(seed ^ (purpose * 0xA24BAED4963EE407ULL));
    return Random(mixed.next());
}

std::string next_uuid(Random& random) {
    const auto high = random.next();
    return uuid_text(high, random.next());
}

std::vector<User> make_users(const PopulationOptions& options) {
    auto random = generator(options.seed, 1);
    std::vector<User> users;
    users.reserve(options.users);
    for (std::size_t i = 0; i < options.users; ++i) {
        auto id = next_uuid(random);
        const auto first = first_names[random.below(first_names.size())];
        const auto last = last_names[random.below(last_names.size())];
        users.push_back({.user_id = std::move(id),
                         .email = fmt::format("{}.{}.{}@example.com", first, last, i + 1),
                         .status = is_odd_one(i, random) ? Status::disabled : Status::enabled});
    }
    return users;
}

/// Serials rise in uneven steps, as those of a delivery do: never twice the same, all of one length.
std::vector<Token> make_tokens(const PopulationOptions& options) {
    auto random = generator(options.seed, 2);
    std::vector<Token> tokens;
    tokens.reserve(options.tokens);
    std::uint64_t serial = 123'000'000 + random.below(1'000'000);
    for (std::size_t i = 0; i < options.tokens; ++i) {
        serial += 1 + random.below(97);
        const bool expired = is_odd_one(i, random);
        const auto year = expired ? 2020 + random.below(4) : 2035 + random.below(5);
        auto& token = tokens.emplace_back();
        token.serial = fmt::format("{:012}", serial);
        token.expiry = fmt::format("{}-{:02}-{:02}", year, 1 + random.below(12), 1 + random.below(28));
    }
    return tokens;
}

/// The seeds' device 140100080 holds the credential 014010008031: a zero, the device, and two further digits.
std::string credential_of(const std::string& device) {
    unsigned sum = 17;
    for (const char digit : device) sum += static_cast<unsigned>(digit - '0');
    return fmt::format("0{}{:02}", device, sum % 100);
}

std::vector<Device> make_devices(const PopulationOptions& options, const std::vector<User>& users) {
    auto random = generator(options.seed, 3);
    std::vector<const User*> enabled;
    for (const auto& user : users) {
        if (user.status == Status::enabled) enabled.push_back(&user);
    }
    std::vector<Device> devices;
    if (enabled.empty()) return devices;
    devices.reserve(options.devices);
    std::uint64_t number = 140'100'000 + random.below(100);
    for (std::size_t i = 0; i < options.devices; ++i) {
        number += 1 + random.below(13);
        auto& device = devices.emplace_back();
        device.serial = fmt::format("{:09}", number);
        device.user_id = enabled[i % enabled.size()]->user_id;
        device.token_serial = credential_of(device.serial);
    }
    return devices;
}

}  // namespace

Snapshot make_population(const PopulationOptions& options) {
    Snapshot snapshot;
    snapshot.users = make_users(options);
    snapshot.tokens = make_tokens(options);
    snapshot.devices = make_devices(options, snapshot.users);
    auto random = generator(options.seed, 4);
    snapshot.admins.push_back({.access_id = next_uuid(random), .role = Role::help_desk, .public_key = {}});
    snapshot.admins.push_back({.access_id = next_uuid(random), .role = Role::super_admin, .public_key = {}});
    snapshot.audience = "https://localhost:8443/AdminInterface/restapi/v1";
    return snapshot;
}

}  // namespace tenant
