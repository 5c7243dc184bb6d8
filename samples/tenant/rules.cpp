// The shared words of the rules. A value is quoted in a message only where it may exist, which bounds its
// length.
#include "samples/tenant/rules.hpp"

#include <fmt/format.h>

#include <utility>

namespace tenant {
namespace {

/// When hardware came into the tenant. The schema holds no such time, and it must be the same for the same
/// seed.
constexpr std::string_view registered_date = "2024-01-15T09:00:00.000Z";

/// `2035-06-30` as the timestamp of its start, JSON.
std::string expiry_json(std::string_view day) {
    return day.empty() ? "null" : fmt::format(R"("{}T00:00:00.000Z")", day);
}

/// Says that something does not exist: what it is called is told where such a thing may exist at all.
Verdict unknown(std::string_view code, std::string_view what, std::string_view value) {
    const bool plausible = is_digits(value, longest_token_serial) || is_uuid(value);
    return no(404, code,
              plausible ? fmt::format("There is no {} {}.", what, value)
                        : fmt::format("There is no such {}.", what));
}

std::string device_id(std::string_view serial) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a: any stable spread of the serial serves
    for (const char c : serial) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return uuid_text(hash, hash * 0x9E3779B97F4A7C15ULL);
}

}  // namespace

Verdict no(int status, std::string_view code, std::string_view message) {
    return {.reply = refusal(status, code, message), .change = {}};
}

Verdict yes(std::string body, Change change) {
    Verdict verdict{.reply = {}, .change = std::move(change)};
    verdict.reply.body = std::move(body);
    return verdict;
}

Verdict missing(std::string_view field) {
    return no(400, "MISSING_FIELD", fmt::format("The field {} is required.", field));
}

Verdict bad_user_id() {
    return no(400, "INVALID_USER_ID", "The user ID is not a UUID.");
}

Verdict bad_token_serial() {
    return no(400, "INVALID_TOKEN_SERIAL_NUMBER",
              fmt::format("The token serial number must be 1 to {} digits.", longest_token_serial));
}

Verdict bad_device_serial() {
    return no(400, "INVALID_DEVICE_SERIAL_NUMBER", "The device serial number must be digits.");
}

Verdict name_too_long(std::string_view field) {
    return no(400, "NAME_TOO_LONG",
              fmt::format("The field {} may be at most {} characters long.", field, longest_token_name));
}

Verdict unknown_user(std::string_view user_id) {
    return unknown("USER_NOT_FOUND", "user", user_id);
}

Verdict unknown_token(std::string_view serial) {
    return unknown("TOKEN_NOT_FOUND", "token", serial);
}

Verdict unknown_device(std::string_view serial) {
    return unknown("DEVICE_NOT_FOUND", "device", serial);
}

std::string admin_subject(std::string_view access_id) {
    return std::string(access_id) + "@securid.com";
}

std::string token_details(const Token& token) {
    return fmt::format(
        R"({{"deviceType":"SID700","tokenSerialNumber":"{}","name":{},"userId":{},"tokenStatus":"{}",)"
        R"("tokenState":"{}","assignedAt":{},"assignedBy":{},"registeredDate":"{}",)"
        R"("tokenStatusChangedAt":{},"tokenStatusChangedBy":{},"expiryDate":{},"pinSet":false}})",
        token.serial, json_or_null(token.name), json_or_null(token.user_id), text_of(token.status),
        text_of(token.state), json_or_null(token.assigned_at), json_or_null(token.assigned_by),
        registered_date, json_or_null(token.status_changed_at), json_or_null(token.status_changed_by),
        expiry_json(token.expiry));
}

std::string device_details(const Device& device) {
    // A registered device is the user's own from the start, which is what `Activated` says of a credential.
    return fmt::format(
        R"({{"id":"{}","name":"{}","userId":{},"deviceType":"SecurID DS100","registeredDate":"{}",)"
        R"("deviceSerialNumber":"{}","tokenSerialNumber":"{}","updatedAt":{},"tokenState":"{}",)"
        R"("expiryDate":null,"tokenStatus":"{}","tokenStatusReason":null,"tokenStatusChangedAt":{},)"
        R"("tokenStatusChangedBy":{},"assignedAt":"{}","assignedBy":null}})",
        device_id(device.serial), device.serial, json_or_null(device.user_id), registered_date, device.serial,
        device.token_serial, json_or_null(device.status_changed_at), text_of(TokenState::activated),
        text_of(device.status), json_or_null(device.status_changed_at),
        json_or_null(device.status_changed_by), registered_date);
}

}  // namespace tenant
