// A reply as the rules see it: a status, a JSON body, and the few header lines that depend on the case.
#pragma once

#include <string>
#include <string_view>

namespace tenant {

struct Reply {
    int status = 200;
    std::string body;
    std::string headers;  ///< further complete lines, each ending in CRLF
    std::string_view content_type = "application/json;charset=UTF-8";
};

/// A refusal: `{"code":"…","message":"…"}`, the message in plain words that name the thing.
[[nodiscard]] Reply refusal(int status, std::string_view code, std::string_view message);

}  // namespace tenant
