// HTTP as the engine sees it: requests and replies are plain data, statuses too.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// A request without what the connection adds (host, bearer token, length).
struct http_request {
    std::string_view method;
    std::string target;  ///< below the API base, already percent-encoded: "/v1/users/…/sidTokens/assign"
    std::string body;    ///< JSON; empty for none
};

/// A complete reply. Only the headers that a decision may rest on are kept, under their lower-case names.
struct http_reply {
    unsigned status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;

    /// The first header of that lower-case name; empty when there is none.
    [[nodiscard]] std::string_view header(std::string_view lower_case_name) const noexcept {
        for (const auto& [name, value] : headers)
            if (name == lower_case_name) return value;
        return {};
    }
};

/// An exchange that brought no reply.
struct transport_failure {
    bool maybe_received = false;  ///< bytes of the request may have reached the service
    bool timed_out = false;
    std::string message;  ///< "connection reset by peer while waiting for the reply"
};

}  // namespace muster
