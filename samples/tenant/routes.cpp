// The table itself and its matching.
#include "samples/tenant/routes.hpp"

#include "samples/tenant/text.hpp"

#include <array>

namespace tenant {
namespace {

constexpr std::string_view user_placeholder = "{userId}";

constexpr std::array table{
    Route{"PATCH", "/v1/users/{userId}/sidTokens/assign", Operation::assign, "assign"},
    Route{"PATCH", "/v1/users/{userId}/sidTokens/enable", Operation::enable, "enable"},
    Route{"PATCH", "/v1/users/{userId}/sidTokens/disable", Operation::disable, "disable"},
    Route{"PATCH", "/v1/ds100/enable/otp", Operation::enable_ds100, "enable-ds100"},
    Route{"PATCH", "/v1/ds100/disable/otp", Operation::disable_ds100, "disable-ds100"},
    Route{"PATCH", "/v1/users/{userId}/sidTokens/unassign", Operation::unassign, "unassign"},
    Route{"PATCH", "/v1/users/{userId}/sidTokens/updateName", Operation::update_name, "update-name"},
    Route{"PATCH", "/v2/users/{userId}/sidTokens/clearPin", Operation::clear_pin, "clear-pin"},
    Route{"PATCH", "/v1/ds100/clearPin/otp", Operation::clear_pin_ds100, "clear-pin-ds100"},
    Route{.method = "DELETE",
          .path = "/v1/sidTokens/delete",
          .operation = Operation::delete_token,
          .word = "delete",
          .super_admin_only = true},
    Route{"DELETE", "/v1/ds100/delete/otp", Operation::delete_ds100, "delete-ds100"},
    Route{"POST", "/v1/sidTokens/lookup", Operation::lookup_token, "lookup", false},
    Route{"POST", "/v1/ds100/lookup", Operation::lookup_ds100, "lookup-ds100", false},
    Route{"POST", "/v1/users/lookup", Operation::lookup_user, "lookup-user", false},
    Route{"GET", "/v2/users/{userId}/devices", Operation::list_devices, "devices", false},
};

/// The path's own user ID segment when it has the pattern's shape; an empty view when the pattern has none.
std::optional<std::string_view> fits(std::string_view pattern, std::string_view path) {
    const auto at = pattern.find(user_placeholder);
    if (at == std::string_view::npos) {
        return pattern == path ? std::optional(std::string_view{}) : std::nullopt;
    }
    const auto head = pattern.substr(0, at);
    const auto tail = pattern.substr(at + user_placeholder.size());
    if (path.size() <= head.size() + tail.size() || !path.starts_with(head) || !path.ends_with(tail)) {
        return std::nullopt;
    }
    const auto segment = path.substr(head.size(), path.size() - head.size() - tail.size());
    if (segment.find('/') != std::string_view::npos) return std::nullopt;
    return segment;
}

std::string_view path_of(std::string_view target) {
    return target.substr(0, target.find('?'));
}

}  // namespace

std::span<const Route> routes() {
    return table;
}

RouteMatch match_route(std::string_view method, std::string_view target) {
    RouteMatch match;
    if (!is_api_path(target)) return match;
    const auto path = path_of(target).substr(api_root.size());
    for (const auto& route : table) {
        const auto segment = fits(route.path, path);
        if (!segment) continue;
        if (route.method != method) {
            match.allow += (match.allow.empty() ? "" : ", ") + std::string(route.method);
            continue;
        }
        match.route = &route;
        // A broken escape cannot be any user's ID; as it stands it is answered like every other malformed
        // one.
        if (!segment->empty()) match.user_id = percent_decoded(*segment).value_or(std::string(*segment));
        return match;
    }
    return match;
}

bool is_api_path(std::string_view target) {
    const auto path = path_of(target);
    return path.starts_with(api_root) && (path.size() == api_root.size() || path[api_root.size()] == '/');
}

}  // namespace tenant
