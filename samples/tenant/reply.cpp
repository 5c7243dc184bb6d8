// The one shape of every error body.
#include "samples/tenant/reply.hpp"

#include "samples/tenant/text.hpp"

namespace tenant {

Reply refusal(int status, std::string_view code, std::string_view message) {
    Reply reply;
    reply.status = status;
    reply.body = R"({"code":)" + json_string(code) + R"(,"message":)" + json_string(message) + "}";
    return reply;
}

}  // namespace tenant
