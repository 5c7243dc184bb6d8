// The rules for DS100 devices.
//
// These calls document no 409: a device that is registered to someone else is, for this user, one that does
// not exist (404). Nor do they document a longest serial: one that is too long is simply unknown.
#include "samples/tenant/rules.hpp"
#include "samples/tenant/tenant_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tenant {

Verdict TenantState::set_device_status(const Command& command, Status wanted, Wall now) {
    const auto& serial = command.fields.device_serial;
    const auto& user_id = command.fields.user_id;
    if (!serial) return missing("deviceSerialNumber");
    if (!user_id) return missing("userId");
    if (!is_digits(*serial, serial->size())) return bad_device_serial();
    if (!is_uuid(*user_id)) return bad_user_id();

    auto* owner = find_user(*user_id);
    if (owner == nullptr) return unknown_user(*user_id);
    const auto it = devices_.find(*serial);
    if (it == devices_.end()) return unknown_device(*serial);
    auto& device = it->second;
    if (device.user_id != owner->user.user_id) {
        return no(404, "DEVICE_NOT_FOUND",
                  fmt::format("Device {} is not registered to this user.", device.serial));
    }

    const bool changes = device.status != wanted;
    if (changes) {
        device.status = wanted;
        device.status_changed_at = iso_text(now);
        device.status_changed_by = admin_subject(command.admin);
    }
    auto body = fmt::format(
        R"([{{"userId":"{}","tokenSerialNumber":"{}","tokenStatus":"{}","tokenStatusChangedAt":{},)"
        R"("tokenStatusChangedBy":{},"deviceSerialNumber":"{}"}}])",
        device.user_id, device.token_serial, text_of(device.status), json_or_null(device.status_changed_at),
        json_or_null(device.status_changed_by), device.serial);
    return changes ? yes(std::move(body), device) : yes(std::move(body));
}

Verdict TenantState::clear_device_pin(const Command& command) {
    const auto& serial = command.fields.token_serial;
    const auto& user_id = command.fields.user_id;
    if (!serial) return missing("tokenSerialNumber");
    if (!user_id) return missing("userId");
    if (!is_uuid(*user_id)) return bad_user_id();
    auto* owner = find_user(*user_id);
    if (owner == nullptr) return unknown_user(*user_id);
    const auto has_credential = [&](const std::string& held) {
        return devices_.at(held).token_serial == *serial;
    };
    if (std::ranges::none_of(owner->devices, has_credential)) return unknown_token(*serial);
    return yes(fmt::format(R"({{"userId":"{}","tokenSerialNumber":"{}","pinSet":false}})",
                           owner->user.user_id, *serial));
}

Verdict TenantState::delete_device(const Command& command) {
    const auto& fields = command.fields;
    if (!fields.token_serial) return missing("tokenSerialNumber");
    if (!fields.device_serial) return missing("deviceSerialNumber");
    if (!fields.user_id) return missing("userId");
    if (!is_uuid(*fields.user_id)) return bad_user_id();
    auto* owner = find_user(*fields.user_id);
    if (owner == nullptr) return unknown_user(*fields.user_id);
    const auto it = devices_.find(*fields.device_serial);
    if (it == devices_.end() || it->second.user_id != owner->user.user_id ||
        it->second.token_serial != *fields.token_serial) {
        return unknown_device(*fields.device_serial);
    }
    std::erase(owner->devices, *fields.device_serial);
    devices_.erase(it);
    return yes(fmt::format(R"({{"deviceSerialNumber":"{}"}})", *fields.device_serial),
               DeviceRemoved{*fields.device_serial});
}

Verdict TenantState::lookup_device(const Command& command) {
    const auto& serial = command.fields.device_serial;
    if (!serial) return missing("deviceSerialNumber");
    const auto it = devices_.find(*serial);
    if (it == devices_.end()) return unknown_device(*serial);
    return yes(fmt::format("[{}]", device_details(it->second)));
}

}  // namespace tenant
