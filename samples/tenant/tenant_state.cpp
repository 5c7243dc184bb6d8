// The tables in memory, which rule a command meets, and the rules that read users. The rules for SecurID 700
// tokens are in token_rules.cpp, those for DS100 devices in device_rules.cpp.
#include "samples/tenant/tenant_state.hpp"

#include "samples/tenant/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tenant {
namespace {

/// `ada.lovelace.17@…` → `Ada`, `Lovelace`: the schema keeps no names, and lookups answer some.
std::pair<std::string, std::string> names_of(std::string_view email) {
    const auto local = email.substr(0, email.find('@'));
    const auto dot = local.find('.');
    std::string first(local.substr(0, dot));
    std::string last(dot == std::string_view::npos ? "" : local.substr(dot + 1));
    last = last.substr(0, last.find('.'));
    for (auto* name : {&first, &last}) {
        if (!name->empty() && (*name)[0] >= 'a' && (*name)[0] <= 'z') {
            (*name)[0] = static_cast<char>((*name)[0] - 'a' + 'A');
        }
    }
    return {first, last};
}

}  // namespace
TenantState::TenantState(Snapshot snapshot) {
    users_.reserve(snapshot.users.size());
    user_by_email_.reserve(snapshot.users.size());
    tokens_.reserve(snapshot.tokens.size());
    devices_.reserve(snapshot.devices.size());
    for (auto& user : snapshot.users) {
        user_by_email_.emplace(lower(user.email), lower(user.user_id));
        auto id = lower(user.user_id);
        users_.emplace(std::move(id), UserEntry{.user = std::move(user), .tokens = {}, .devices = {}});
    }
    for (auto& token : snapshot.tokens) {
        if (auto* owner = find_user(token.user_id)) owner->tokens.push_back(token.serial);
        auto serial = token.serial;
        tokens_.emplace(std::move(serial), std::move(token));
    }
    for (auto& device : snapshot.devices) {
        if (auto* owner = find_user(device.user_id)) owner->devices.push_back(device.serial);
        auto serial = device.serial;
        devices_.emplace(std::move(serial), std::move(device));
    }
}

Verdict TenantState::apply(const Command& command, Wall now) {
    switch (command.operation) {
        case Operation::assign: return assign(command, now);
        case Operation::enable: return set_token_status(command, Status::enabled, now);
        case Operation::disable: return set_token_status(command, Status::disabled, now);
        case Operation::unassign: return unassign(command, now);
        case Operation::update_name: return update_name(command);
        case Operation::clear_pin: return clear_pin(command);
        case Operation::delete_token: return delete_token(command);
        case Operation::lookup_token: return lookup_token(command);
        case Operation::enable_ds100: return set_device_status(command, Status::enabled, now);
        case Operation::disable_ds100: return set_device_status(command, Status::disabled, now);
        case Operation::clear_pin_ds100: return clear_device_pin(command);
        case Operation::delete_ds100: return delete_device(command);
        case Operation::lookup_ds100: return lookup_device(command);
        case Operation::lookup_user: return lookup_user(command);
        case Operation::list_devices: return list_devices(command);
    }
    return no(500, "INTERNAL_ERROR", "The operation has no rule.");
}

const Token* TenantState::token(std::string_view serial) const {
    const auto it = tokens_.find(serial);
    return it == tokens_.end() ? nullptr : &it->second;
}

const Device* TenantState::device(std::string_view serial) const {
    const auto it = devices_.find(serial);
    return it == devices_.end() ? nullptr : &it->second;
}

TenantState::UserEntry* TenantState::find_user(std::string_view user_id) {
    if (user_id.empty()) return nullptr;
    const auto it = users_.find(lower(user_id));
    return it == users_.end() ? nullptr : &it->second;
}

Verdict TenantState::lookup_user(const Command& command) {
    const auto& wanted = command.fields.email ? command.fields.email : command.fields.username;
    if (!wanted) return no(400, "MISSING_FIELD", "One of the fields email and username is required.");
    const auto it = user_by_email_.find(lower(*wanted));
    if (it == user_by_email_.end()) return no(404, "USER_NOT_FOUND", "No user has this email or username.");
    const auto& user = users_.at(it->second).user;
    const auto [first, last] = names_of(user.email);
    return yes(fmt::format(R"({{"id":"{}","emailAddress":{},"username":{},"firstName":{},"lastName":{},)"
                           R"("identitySource":"Sandbox Directory","userStatus":"{}","markDeleted":false}})",
                           user.user_id, json_string(user.email), json_string(user.email), json_string(first),
                           json_string(last), text_of(user.status)));
}

Verdict TenantState::list_devices(const Command& command) {
    if (!is_uuid(command.user_id)) return bad_user_id();
    auto* owner = find_user(command.user_id);
    if (owner == nullptr) return unknown_user(command.user_id);
    std::string body = "[";
    const auto add = [&](const std::string& details) { body += (body.size() > 1 ? "," : "") + details; };
    for (const auto& serial : owner->tokens) add(token_details(tokens_.at(serial)));
    for (const auto& serial : owner->devices) add(device_details(devices_.at(serial)));
    return yes(body + "]");
}

}  // namespace tenant
