// The route table: which method and path is which operation, and what sets the operations apart before any
// state is looked at. One entry here, and its rule in tenant_state, is all a further operation needs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tenant {

enum class Operation {
    assign,
    enable,
    disable,
    unassign,
    update_name,
    clear_pin,
    delete_token,
    lookup_token,
    enable_ds100,
    disable_ds100,
    clear_pin_ds100,
    delete_ds100,
    lookup_ds100,
    lookup_user,
    list_devices,
};

struct Route {
    std::string_view method;
    std::string_view path;  ///< below the API's root; `{userId}` stands for one segment
    Operation operation;
    std::string_view word;  ///< what the audit calls it
    bool mutation = true;   ///< leaves an audit row
    bool super_admin_only = false;
};

/// Where every API path begins.
inline constexpr std::string_view api_root = "/AdminInterface/restapi";

[[nodiscard]] std::span<const Route> routes();

struct RouteMatch {
    const Route* route = nullptr;  ///< null: no such path, or not with this method
    std::string allow;  ///< the methods the path does have, when it was the method that did not fit
    std::optional<std::string> user_id;  ///< percent-decoded, from the path
};

/// Finds the route of a request target (a query string is ignored; the path's case counts).
[[nodiscard]] RouteMatch match_route(std::string_view method, std::string_view target);

/// Whether a target lies below the API's root, and so needs a bearer token.
[[nodiscard]] bool is_api_path(std::string_view target);

}  // namespace tenant
