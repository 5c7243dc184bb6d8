// Reads a request's JSON body into the fields the operations know.
//
// Only form is judged here: the body must be one JSON object, and a known field must be a string or null (a
// serial sent as a number has lost its leading zeros and is refused). Which fields an operation needs, and
// what they may hold, is tenant_state's business. Unknown fields are ignored, as the API does not forbid
// them.
#pragma once

#include <boost/system/result.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace tenant {

/// Null and absent are the same.
struct Fields {
    std::optional<std::string> token_serial;
    std::optional<std::string> device_serial;
    std::optional<std::string> user_id;
    std::optional<std::string> token_name;
    std::optional<std::string> updated_name;
    std::optional<std::string> email;
    std::optional<std::string> username;
};

/// Why a body is no request of this API, in plain words.
struct MalformedBody {
    std::string message;
};

[[nodiscard]] boost::system::result<Fields, MalformedBody> read_fields(std::string_view body);

}  // namespace tenant
