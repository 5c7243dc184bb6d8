// What a tenant consists of: users, SecurID 700 tokens, DS100 devices, administrators, and the audit of what
// was asked.
//
// Plain values, the same in memory and in tenant.db. An empty text stands for SQL NULL and JSON null: none of
// these fields has a meaningful empty value. A token's state (to whom it belongs) and its status (whether it
// may authenticate) are two independent attributes.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tenant {

enum class TokenState { unassigned, activation_pending, activated };
enum class Status { disabled, enabled };
enum class Role { help_desk, super_admin };

struct User {
    std::string user_id;  ///< UUID, lower case
    std::string email;    ///< lower case
    Status status = Status::enabled;
};

struct Token {
    std::string serial;
    std::string user_id;  ///< empty while unassigned
    TokenState state = TokenState::unassigned;
    Status status = Status::disabled;
    std::string name;
    std::string expiry;  ///< `2035-06-30`: expired from the start of that UTC day on
    std::string assigned_at;
    std::string assigned_by;
    std::string status_changed_at;
    std::string status_changed_by;
};

struct Device {
    std::string serial;
    std::string user_id;
    std::string token_serial;  ///< the OTP credential in the device
    Status status = Status::disabled;
    std::string status_changed_at;
    std::string status_changed_by;
};

struct Admin {
    std::string access_id;
    Role role = Role::help_desk;
    std::string public_key;  ///< PEM
};

/// Everything a tenant holds, as tenant.db does; `audience` is the `aud` a bearer token must carry.
struct Snapshot {
    std::vector<User> users;
    std::vector<Token> tokens;
    std::vector<Device> devices;
    std::vector<Admin> admins;
    std::string audience;
};

struct TokenRemoved {
    std::string serial;
};
struct DeviceRemoved {
    std::string serial;
};

/// What a handled request did to the tenant: the row as it is now, or the row that is gone.
using Change = std::variant<std::monostate, Token, Device, TokenRemoved, DeviceRemoved>;

struct AuditRow {
    std::string at;
    std::string admin;           ///< the accessID of the key that asked
    std::string_view operation;  ///< from the route table, which lives as long as the program
    std::string user_id;
    std::string serial;
    int http_status = 0;
    bool changed = false;
};

/// One handled mutation: its change and its audit row belong in one transaction.
struct Write {
    Change change;
    AuditRow audit;
};

[[nodiscard]] constexpr std::string_view text_of(TokenState state) {
    switch (state) {
        case TokenState::unassigned: return "Unassigned";
        case TokenState::activation_pending: return "Activation Pending";
        case TokenState::activated: return "Activated";
    }
    return "";
}

[[nodiscard]] constexpr std::string_view text_of(Status status) {
    return status == Status::enabled ? "Enabled" : "Disabled";
}

[[nodiscard]] constexpr std::string_view text_of(Role role) {
    return role == Role::super_admin ? "super-admin" : "help-desk";
}

}  // namespace tenant
