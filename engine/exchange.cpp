#include "engine/exchange.hpp"

#include "engine/json_text.hpp"
#include "engine/text.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <utility>

namespace muster {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t usual_size = 120;  // of a request's target, and of its body

/// Bytes that stand for themselves in a path (RFC 3986, section 2.3).
constexpr std::array<bool, 256> unreserved = [] {
    std::array<bool, 256> table{};
    for (std::size_t c = 0; c < 128; ++c) table[c] = is_ascii_alphanumeric(static_cast<char>(c));
    for (const unsigned char c : {'-', '_', '.', '~'}) table[c] = true;
    return table;
}();

// Nearly all bytes stand for themselves, so runs of them are appended at once.
void append_percent_encoded(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::size_t run = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (unreserved[byte]) continue;
        out += text.substr(run, i - run);
        run = i + 1;
        out += '%';
        out += digits[byte >> 4U];
        out += digits[byte & 15U];
    }
    out += text.substr(run);
}

void append_member(std::string& body, field f, std::string_view value) {
    body += body.empty() ? "{\"" : ",\"";
    body += name_of(f);
    body += "\":";
    append_json_string(body, value);
}

// The member's text; empty when it is absent, null or no string.
std::string_view text_of(const dom::object& from, std::string_view member) {
    std::string_view value;
    if (from[member].get(value) != simdjson::SUCCESS) return {};
    return value;
}

// Whether the object names the row's own token or device and user; where not, says what is wrong.
bool names_row(const operation& op, const row& r, const dom::object& from, reply_reading& out) {
    const auto subject = text_of(from, name_of(op.subject));
    const auto user = text_of(from, "userId");
    const bool other_subject = !subject.empty() && subject != r.subject();
    const bool other_user = !user.empty() && !equal_ignoring_case(user, r.get(field::user_id));
    out.anothers = other_subject || other_user;
    if (subject.empty())
        out.problem = fmt::format("does not name its {}", name_of(op.subject));
    else if (other_subject)
        out.problem = fmt::format("names another {} ({})", name_of(op.subject), printable(subject, 60));
    else if (user.empty())
        out.problem = "does not name its user";
    else if (other_user)
        out.problem = fmt::format("names another user ({})", printable(user, 60));
    else
        return true;
    return false;
}

// Cut to what the journal keeps of each, so that a report says the same now and later.
service_details details_of(const operation& op, const dom::object& from) {
    constexpr std::size_t longest_name = 1024, longest_word = 100;
    service_details d;
    d.state = kept_text(text_of(from, op.state_member), longest_name);
    d.changed_at = kept_text(text_of(from, op.changed_at_member), longest_word);
    d.changed_by = kept_text(text_of(from, op.changed_by_member), longest_name);
    if (op.subject == field::device_serial)
        d.token_serial = kept_text(text_of(from, name_of(field::token_serial)), longest_word);
    return d;
}

bool is_wanted(const operation& op, std::string_view state) {
    return std::ranges::find(op.wanted_states, state) != op.wanted_states.end();
}

void read_confirmation(const operation& op, const row& r, const dom::object& from, reply_reading& out) {
    if (!names_row(op, r, from, out)) return;
    out.details = details_of(op, from);
    out.confirmed = is_wanted(op, out.details.state);
    if (out.confirmed)
        out.problem.clear();
    else
        out.problem = fmt::format("says {} is '{}'", op.state_member, printable(out.details.state, 40));
}

// Assigned to whom, and in what state: what a look-up's object says about the row.
void read_actual(const operation& op, const row& r, const dom::object& from, lookup_reading& out) {
    const auto subject = text_of(from, name_of(op.subject));
    if (subject != r.subject()) {
        out.anothers = !subject.empty();
        out.note = fmt::format("the look-up answered for another {}", name_of(op.subject));
        return;
    }
    const auto user = text_of(from, "userId");
    out.details = details_of(op, from);
    if (!user.empty() && !equal_ignoring_case(user, r.get(field::user_id))) {
        out.state = op.id == operation_id::assign ? actual_state::conflicting : actual_state::not_applied;
        out.note = fmt::format("assigned to another user ({})", printable(user, 60));
        return;
    }
    if (out.details.state.empty()) {
        out.note = fmt::format("the look-up did not tell the {}", op.state_member);
        return;
    }
    const bool as_wanted = !user.empty() && is_wanted(op, out.details.state);
    out.state = as_wanted ? actual_state::as_wanted : actual_state::not_applied;
    const auto name = text_of(from, "name");
    const auto wanted_name = r.get(field::token_name);
    if (as_wanted && op.id == operation_id::assign && !wanted_name.empty() && !name.empty() &&
        name != wanted_name)
        out.note = fmt::format("its name there is '{}'", printable(name, 80));
}

}  // namespace

http_request build_request(const row& r, http_request reuse) {
    const operation& op = operation_of(r.operation());
    http_request request = std::move(reuse);
    request.method = op.method;
    request.body.clear();
    request.target.reserve(usual_size);
    request.body.reserve(usual_size);
    const auto hole = op.path.find("{}");
    request.target = op.path.substr(0, hole);
    for (const parameter& p : op.parameters) {
        const auto value = r.get(p.name);
        if (p.in_path)
            append_percent_encoded(request.target, value);
        else if (p.required || !value.empty())
            append_member(request.body, p.name, value);
    }
    if (hole != std::string_view::npos) request.target += op.path.substr(hole + 2);
    request.body += '}';
    return request;
}

http_request build_lookup(const row& r) {
    const lookup_call& call = *operation_of(r.operation()).lookup;
    http_request request{.method = call.method, .target = std::string(call.path), .body = {}};
    append_member(request.body, call.key, r.get(call.key));
    request.body += '}';
    return request;
}

struct reply_reader::parser {
    dom::parser json;
};

reply_reader::reply_reader() : parser_(std::make_unique<parser>()) {}
reply_reader::~reply_reader() = default;

reply_reading reply_reader::read_reply(const row& r, std::string_view body) {
    const operation& op = operation_of(r.operation());
    reply_reading out;
    dom::element root;
    if (parser_->json.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) {
        out.problem = "is not JSON";
        return out;
    }
    dom::object object;
    if (!op.answers_array) {
        if (root.get(object) == simdjson::SUCCESS)
            read_confirmation(op, r, object, out);
        else
            out.problem = "is not a JSON object";
        return out;
    }
    dom::array list;
    if (root.get(list) != simdjson::SUCCESS) {
        out.problem = "is not a JSON array";
        return out;
    }
    out.problem = "is an empty array";
    for (const dom::element item : list) {
        out.confirmed = false;
        if (item.get(object) != simdjson::SUCCESS) {
            out.problem = "holds something other than objects";
            return out;
        }
        read_confirmation(op, r, object, out);
        if (!out.confirmed) return out;
    }
    return out;
}

lookup_reading reply_reader::read_lookup(const row& r, std::string_view body) {
    const operation& op = operation_of(r.operation());
    lookup_reading out;
    dom::element root;
    if (parser_->json.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) {
        out.note = "the look-up's reply is not JSON";
        return out;
    }
    dom::object object;
    if (!op.lookup->answers_array) {
        if (root.get(object) == simdjson::SUCCESS)
            read_actual(op, r, object, out);
        else
            out.note = "the look-up's reply is not a JSON object";
        return out;
    }
    dom::array list;
    if (root.get(list) != simdjson::SUCCESS) {
        out.note = "the look-up's reply is not a JSON array";
        return out;
    }
    out.state = list.size() == 0 ? actual_state::not_applied : actual_state::unreadable;
    for (const dom::element item : list) {
        lookup_reading one;
        if (item.get(object) == simdjson::SUCCESS) read_actual(op, r, object, one);
        out = std::move(one);
        if (out.state != actual_state::as_wanted) break;
    }
    return out;
}

std::string reply_reader::read_error(std::string_view body) {
    dom::element root;
    dom::object object;
    if (parser_->json.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS ||
        root.get(object) != simdjson::SUCCESS)
        return printable(body, 200);
    std::string_view message, code;
    for (const std::string_view member :
         {"message", "errorMessage", "error_description", "description", "detail"})
        if (message.empty()) message = text_of(object, member);
    for (const std::string_view member : {"code", "errorCode", "error", "title"})
        if (code.empty()) code = text_of(object, member);
    if (message.empty() && code.empty()) return printable(body, 200);
    if (message.empty() || code.empty()) return printable(message.empty() ? code : message, 400);
    return fmt::format("{}: {}", printable(code, 100), printable(message, 300));
}

}  // namespace muster
