// What the rules of tenant_state have in common: the ways to say no, the way to say yes, and the reply bodies
// that more than one operation gives. Internal to the tenant's rules.
#pragma once

#include "samples/tenant/tenant_state.hpp"

#include <string>
#include <string_view>

namespace tenant {

/// A refusal that changes nothing.
[[nodiscard]] Verdict no(int status, std::string_view code, std::string_view message);
/// Success, with the row that changed, if one did.
[[nodiscard]] Verdict yes(std::string body, Change change = {});

[[nodiscard]] Verdict missing(std::string_view field);
[[nodiscard]] Verdict bad_user_id();
[[nodiscard]] Verdict bad_token_serial();
[[nodiscard]] Verdict bad_device_serial();
[[nodiscard]] Verdict name_too_long(std::string_view field);
[[nodiscard]] Verdict unknown_user(std::string_view user_id);
[[nodiscard]] Verdict unknown_token(std::string_view serial);
[[nodiscard]] Verdict unknown_device(std::string_view serial);

/// How replies name the administrator behind an accessID (`assignedBy` in the seeds:
/// `<accessID>@securid.com`).
[[nodiscard]] std::string admin_subject(std::string_view access_id);

/// The object a SecurID 700 lookup answers.
[[nodiscard]] std::string token_details(const Token& token);
/// The object a DS100 lookup answers, in its array.
[[nodiscard]] std::string device_details(const Device& device);

}  // namespace tenant
