// The two gates of service.hpp, and the audit row of what passed both.
#include "samples/tenant/service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tenant {
namespace {

/// The credentials of `Authorization: Bearer …`; empty for anything else.
std::string_view bearer(std::string_view authorization) {
    constexpr std::string_view scheme = "Bearer ";
    if (!same_ignoring_case(authorization.substr(0, scheme.size()), scheme)) return {};
    authorization.remove_prefix(scheme.size());
    while (authorization.starts_with(' ')) authorization.remove_prefix(1);
    return authorization;
}

/// Absent counts as JSON: the seeds' examples of enable and disable send none.
bool is_json(std::string_view content_type) {
    auto type = content_type.substr(0, content_type.find(';'));
    while (type.ends_with(' ')) type.remove_suffix(1);
    return type.empty() || same_ignoring_case(type, "application/json");
}

/// The device of a DS100 call, otherwise the token; nothing that could not be a serial.
std::string audited_serial(const Route& route, const Fields& fields) {
    const bool ds100 = route.path.starts_with("/v1/ds100/");
    const auto& serial = ds100 && fields.device_serial ? fields.device_serial : fields.token_serial;
    return serial && is_digits(*serial, longest_token_serial) ? *serial : std::string{};
}

std::string audited_user(const Command& command) {
    const auto& given = command.user_id.empty() ? command.fields.user_id.value_or("") : command.user_id;
    return is_uuid(given) ? lower(given) : std::string{};
}

Write write_of(const Route& route, const Command& command, Verdict& verdict, Wall now) {
    AuditRow audit{.at = iso_text(now),
                   .admin = std::string(command.admin),
                   .operation = route.word,
                   .user_id = audited_user(command),
                   .serial = audited_serial(route, command.fields),
                   .http_status = verdict.reply.status,
                   .changed = verdict.changed()};
    return {.change = std::move(verdict.change), .audit = std::move(audit)};
}

/// Fit for a message, as the names of all real methods are.
bool is_word(std::string_view method) {
    return !method.empty() && method.size() <= 16 &&
           std::ranges::all_of(method, [](char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); });
}

Reply no_such_path(std::string_view method, const std::string& allow) {
    if (allow.empty()) return refusal(404, "NOT_FOUND", "There is no such path.");
    auto reply = refusal(405, "METHOD_NOT_ALLOWED",
                         fmt::format("This path does not serve {}; it serves {}.",
                                     is_word(method) ? method : "this method", allow));
    reply.headers = fmt::format("Allow: {}\r\n", allow);
    return reply;
}

}  // namespace

Service::Service(Snapshot snapshot, const Options& options)
    : verifier_(snapshot.admins, snapshot.audience),
      quota_(options.limits),
      dice_(options.faults, options.seed),
      state_(std::move(snapshot)) {}

Admission Service::admit(const Request& request, Now now) {
    Admission admission;
    if (!is_api_path(request.target)) {
        admission.refused = no_such_path(request.method, {});
        return admission;
    }
    const auto token = bearer(request.authorization);
    if (token.empty()) {
        admission.refused = refusal(403, "FORBIDDEN", "The request carries no bearer token.");
        return admission;
    }
    const auto admin = verifier_.verify(token, std::chrono::floor<std::chrono::seconds>(now.wall));
    if (!admin) {
        admission.refused = refusal(403, "FORBIDDEN", admin.error().message);
        return admission;
    }
    auto decision = quota_.admit(now);
    admission.refused = std::move(decision.refused);
    if (admission.refused) return admission;
    admission.admin = *admin;
    admission.headers = std::move(decision.headers);
    admission.pass = std::move(decision.pass);
    admission.fault = dice_.roll();
    return admission;
}

Outcome Service::handle(const Request& request, const Admin& admin, Wall now) {
    auto match = match_route(request.method, request.target);
    if (match.route == nullptr) return {.reply = no_such_path(request.method, match.allow), .write = {}};
    const auto& route = *match.route;
    Command command{.operation = route.operation,
                    .admin = admin.access_id,
                    .user_id = std::move(match.user_id).value_or(""),
                    .fields = {}};
    const bool has_body = route.method != "GET";
    if (has_body && !is_json(request.content_type)) {
        return {.reply = refusal(415, "UNSUPPORTED_MEDIA_TYPE", "The request body must be application/json."),
                .write = {}};
    }
    Verdict verdict;
    auto fields =
        has_body ? read_fields(request.body) : boost::system::result<Fields, MalformedBody>{Fields{}};
    if (fields) command.fields = std::move(*fields);
    if (route.super_admin_only && admin.role != Role::super_admin) {
        verdict.reply = refusal(403, "FORBIDDEN", "Only a Super Administrator may do this.");
    } else if (!fields) {
        verdict.reply = refusal(400, "MALFORMED_REQUEST", fields.error().message);
    } else {
        verdict = state_.apply(command, now);
    }
    Outcome outcome;
    if (route.mutation) outcome.write = write_of(route, command, verdict, now);
    outcome.reply = std::move(verdict.reply);
    return outcome;
}

Reply internal_error() {
    return refusal(500, "INTERNAL_ERROR", "Internal server error occurred.");
}

Reply garbage(std::uint64_t variety) {
    Reply reply;
    reply.body = garbage_body(variety);
    if (reply.body.starts_with('<')) reply.content_type = "text/html";
    return reply;
}

}  // namespace tenant
