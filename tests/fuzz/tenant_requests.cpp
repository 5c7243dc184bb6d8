// The tenant's requests: `METHOD TARGET` on a line, the content type on the next, then the body up to an empty line;
// several follow each other on one tenant. Every reply is JSON and one whole HTTP message to Muster's own parser, and
// the audit row agrees with it.
#include "io/reply_parser.hpp"
#include "samples/tenant/certificates.hpp"
#include "samples/tenant/http_text.hpp"
#include "samples/tenant/service.hpp"
#include "tests/fuzz/target.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

using namespace tenant;
using muster::fuzz::require;

namespace {

const std::string user = "aaaaaaaa-0000-4000-8000-000000000001";
const std::string other_user = "aaaaaaaa-0000-4000-8000-000000000002";
constexpr Wall now{std::chrono::milliseconds(1'700'000'000'123)};

Token token(std::string serial, std::string expiry) {
    Token t;
    t.serial = std::move(serial);
    t.expiry = std::move(expiry);
    return t;
}

Service make_service() {
    static const std::string pem = make_api_key().public_key;
    Snapshot snapshot;
    snapshot.users = {{user, "ada@example.com", Status::enabled}, {other_user, "bob@example.com", Status::disabled}};
    snapshot.tokens = {token("11", "2035-06-30"), token("12", "2035-06-30"), token("13", "2001-01-01")};
    snapshot.devices = {{"140100080", user, "014010008031", Status::disabled, {}, {}}};
    snapshot.admins = {{"admin", Role::help_desk, pem}};
    snapshot.audience = "https://localhost:8443/AdminInterface/restapi/v1";
    return Service(std::move(snapshot), {});
}

std::string_view take(std::string_view& from, std::string_view separator) {
    const auto end = std::min(from.find(separator), from.size());
    const auto part = from.substr(0, end);
    from.remove_prefix(std::min(end + separator.size(), from.size()));
    return part;
}

void check_message(const Reply& reply) {
    std::string bytes;
    write_reply(bytes, reply, "X-RateLimit-Remaining: 7\r\n", now, true, false);
    muster::reply_parser parser;
    std::string_view left = bytes;
    auto state = muster::reply_parser::state::more;
    while (!left.empty()) {
        require(state == muster::reply_parser::state::more, "a reply is one message");
        const auto room = parser.prepare();
        const auto n = std::min(room.size(), left.size());
        std::memcpy(room.data(), left.data(), n);
        left.remove_prefix(n);
        state = parser.commit(n);
    }
    require(state == muster::reply_parser::state::complete && parser.keeps_alive(), "a reply is a whole message");
    const auto read = parser.take();
    require(read.status == static_cast<unsigned>(reply.status) && read.body == reply.body, "and says the same");
}

void check_outcome(const Outcome& outcome, bool routed) {
    constexpr std::array known{200, 400, 403, 404, 405, 409, 415};
    const auto& reply = outcome.reply;
    require(std::ranges::count(known, reply.status) == 1, "a status is one that the tenant has words for");
    simdjson::dom::parser parser;
    require(reply.body.empty() || parser.parse(reply.body).error() == simdjson::SUCCESS, "a reply's body is JSON");
    check_message(reply);
    require(routed || !outcome.write, "what has no route leaves no row");
    if (!outcome.write) return;
    require(outcome.write->audit.http_status == reply.status, "the audit tells the reply's status");
    require(outcome.write->audit.changed == (outcome.write->change.index() != 0), "and whether something changed");
    require(!outcome.write->audit.changed || reply.status == 200, "only a success changes something");
}

}  // namespace

FUZZ_TARGET(tenant_requests) {
    Service service = make_service();
    for (const Role role : {Role::help_desk, Role::super_admin}) {
        const Admin admin{"admin", role, {}};
        std::string_view left = input;
        while (!left.empty()) {
            auto text = take(left, "\n\n");
            auto line = take(text, "\n");
            const auto method = take(line, " ");
            const auto type = take(text, "\n");
            const Request request{method, line, {}, type, text};
            const bool routed = match_route(method, line).route != nullptr;
            require(!routed || is_api_path(line), "routes are below the API's root");
            check_outcome(service.handle(request, admin, now), routed);
            const auto admission = service.admit(request, {now, {}});
            require(admission.refused.has_value(), "nobody passes without a bearer token");
        }
    }
}
