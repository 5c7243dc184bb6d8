// The rules for SecurID 700 tokens.
//
// Enable and disable document no 400: there a user ID or serial of a wrong form is one that does not exist
// (404). Everywhere else form is judged first.
#include "samples/tenant/rules.hpp"
#include "samples/tenant/tenant_state.hpp"

#include <fmt/format.h>

#include <utility>

namespace tenant {
namespace {

Verdict already_assigned(const Token& token, const User& user) {
    return no(409, "TOKEN_ALREADY_ASSIGNED",
              fmt::format("Token {} is already assigned to {} user.", token.serial,
                          token.user_id == user.user_id ? "this" : "another"));
}

Verdict not_assigned(std::string_view verb, const Token& token) {
    return no(409, "TOKEN_NOT_ASSIGNED",
              fmt::format("Cannot {} token {}: it is not assigned to this user.", verb, token.serial));
}

/// Some tokens are active at once, most wait for the user (API facts: assign *may* answer `Activation
/// Pending`). The serial decides, so that a repeated run sees the same.
TokenState state_after_assign(std::string_view serial) {
    return serial.back() == '0' ? TokenState::activated : TokenState::activation_pending;
}

}  // namespace

Verdict TenantState::assign(const Command& command, Wall now) {
    const auto& serial = command.fields.token_serial;
    const auto& name = command.fields.token_name;
    if (!is_uuid(command.user_id)) return bad_user_id();
    if (!serial) return missing("tokenSerialNumber");
    if (!is_digits(*serial, longest_token_serial)) return bad_token_serial();
    if (name && code_points(*name) > longest_token_name) return name_too_long("tokenName");

    auto* owner = find_user(command.user_id);
    if (owner == nullptr) return unknown_user(command.user_id);
    const auto it = tokens_.find(*serial);
    if (it == tokens_.end()) return unknown_token(*serial);
    auto& token = it->second;
    if (token.state != TokenState::unassigned) return already_assigned(token, owner->user);
    if (token.expiry <= date_text(now)) {
        return no(409, "TOKEN_EXPIRED", fmt::format("Token {} expired on {}.", *serial, token.expiry));
    }
    if (owner->user.status == Status::disabled) {
        return no(409, "USER_DISABLED", fmt::format("User {} is disabled.", owner->user.user_id));
    }
    if (owner->tokens.size() >= most_tokens_per_user) {
        return no(409, "TOO_MANY_TOKENS",
                  fmt::format("User {} already holds {} active tokens, the most a user may have.",
                              owner->user.user_id, owner->tokens.size()));
    }

    token.user_id = owner->user.user_id;
    token.state = state_after_assign(*serial);
    token.name = name && !name->empty() ? *name : *serial;
    token.assigned_at = iso_text(now);
    token.assigned_by = admin_subject(command.admin);
    owner->tokens.push_back(token.serial);
    return yes(fmt::format(R"({{"userId":"{}","tokenSerialNumber":"{}","tokenState":"{}","assignedAt":"{}",)"
                           R"("assignedBy":{}}})",
                           token.user_id, token.serial, text_of(token.state), token.assigned_at,
                           json_string(token.assigned_by)),
               token);
}

Verdict TenantState::unassign(const Command& command, Wall now) {
    const auto& serial = command.fields.token_serial;
    if (!is_uuid(command.user_id)) return bad_user_id();
    if (!serial) return missing("tokenSerialNumber");
    if (!is_digits(*serial, longest_token_serial)) return bad_token_serial();

    auto* owner = find_user(command.user_id);
    if (owner == nullptr) return unknown_user(command.user_id);
    const auto it = tokens_.find(*serial);
    if (it == tokens_.end()) return unknown_token(*serial);
    auto& token = it->second;
    if (token.user_id != owner->user.user_id) return not_assigned("unassign", token);

    std::erase(owner->tokens, token.serial);
    token.user_id.clear();
    token.state = TokenState::unassigned;
    token.name.clear();
    token.assigned_at.clear();
    token.assigned_by.clear();
    if (token.status == Status::enabled) {  // only an assigned token may be enabled
        token.status = Status::disabled;
        token.status_changed_at = iso_text(now);
        token.status_changed_by = admin_subject(command.admin);
    }
    return yes(
        fmt::format(R"({{"tokenSerialNumber":"{}","tokenState":"{}"}})", token.serial, text_of(token.state)),
        token);
}

Verdict TenantState::set_token_status(const Command& command, Status wanted, Wall now) {
    const auto& serial = command.fields.token_serial;
    if (!serial) return missing("tokenSerialNumber");
    auto* owner = find_user(command.user_id);
    if (owner == nullptr) return unknown_user(command.user_id);
    const auto it = tokens_.find(*serial);
    if (it == tokens_.end()) return unknown_token(*serial);
    auto& token = it->second;
    if (token.user_id != owner->user.user_id) {
        return not_assigned(wanted == Status::enabled ? "enable" : "disable", token);
    }

    const bool changes = token.status != wanted;
    if (changes) {
        token.status = wanted;
        token.status_changed_at = iso_text(now);
        token.status_changed_by = admin_subject(command.admin);
    }
    auto body = fmt::format(R"({{"userId":"{}","tokenSerialNumber":"{}","tokenStatus":"{}",)"
                            R"("tokenStatusChangedBy":{},"tokenStatusChangedAt":{}}})",
                            token.user_id, token.serial, text_of(token.status),
                            json_or_null(token.status_changed_by), json_or_null(token.status_changed_at));
    return changes ? yes(std::move(body), token) : yes(std::move(body));
}

Verdict TenantState::update_name(const Command& command) {
    const auto& serial = command.fields.token_serial;
    const auto& name = command.fields.updated_name;
    if (!is_uuid(command.user_id)) return bad_user_id();
    if (!serial) return missing("tokenSerialNumber");
    if (!is_digits(*serial, longest_token_serial)) return bad_token_serial();
    if (!name || name->empty()) return missing("updatedName");
    if (code_points(*name) > longest_token_name) return name_too_long("updatedName");

    auto* owner = find_user(command.user_id);
    if (owner == nullptr) return unknown_user(command.user_id);
    const auto it = tokens_.find(*serial);
    if (it == tokens_.end()) return unknown_token(*serial);
    auto& token = it->second;
    if (token.user_id != owner->user.user_id) return not_assigned("rename", token);

    const bool changes = token.name != *name;
    token.name = *name;
    auto body = fmt::format(
        R"({{"tokenSerialNumber":"{}","name":{},"userId":"{}","tokenStatus":"{}","tokenState":"{}"}})",
        token.serial, json_string(token.name), token.user_id, text_of(token.status), text_of(token.state));
    return changes ? yes(std::move(body), token) : yes(std::move(body));
}

Verdict TenantState::clear_pin(const Command& command) {
    const auto& serial = command.fields.token_serial;
    if (!is_uuid(command.user_id)) return bad_user_id();
    if (!serial) return missing("tokenSerialNumber");
    if (!is_digits(*serial, longest_token_serial)) return bad_token_serial();
    auto* owner = find_user(command.user_id);
    if (owner == nullptr) return unknown_user(command.user_id);
    const auto it = tokens_.find(*serial);
    if (it == tokens_.end()) return unknown_token(*serial);
    if (it->second.user_id != owner->user.user_id) return not_assigned("clear the PIN of", it->second);
    // Users set PINs by authenticating, which a sandbox has no place for: there never is one to clear.
    return yes(fmt::format(R"({{"userId":"{}","tokenSerialNumber":"{}","pinSet":false}})",
                           owner->user.user_id, *serial));
}

Verdict TenantState::delete_token(const Command& command) {
    const auto& serial = command.fields.token_serial;
    if (!serial) return missing("tokenSerialNumber");
    if (!is_digits(*serial, longest_token_serial)) return bad_token_serial();
    const auto it = tokens_.find(*serial);
    if (it == tokens_.end()) return unknown_token(*serial);
    if (auto* owner = find_user(it->second.user_id)) std::erase(owner->tokens, *serial);
    tokens_.erase(it);
    return yes(fmt::format(R"({{"tokenSerialNumber":"{}"}})", *serial), TokenRemoved{*serial});
}

Verdict TenantState::lookup_token(const Command& command) {
    const auto& serial = command.fields.token_serial;
    if (!serial) return missing("tokenSerialNumber");
    const auto it = tokens_.find(*serial);
    if (it == tokens_.end()) return unknown_token(*serial);
    return yes(token_details(it->second));
}

}  // namespace tenant
