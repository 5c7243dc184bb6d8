// Reply bodies, read for a row of each operation: success only where the row's own token and user are named in a wanted
// state, and every text fit for a line of the report, whatever the service sends.
#include "engine/exchange.hpp"
#include "engine/limit_hint.hpp"
#include "tests/fuzz/rows_of_records.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/rows.hpp"

#include <algorithm>
#include <array>
#include <string_view>

using namespace muster;
using namespace muster::fuzz;
using namespace muster::test;

namespace {

constexpr std::size_t longest_note = 700;
constexpr std::size_t longest_detail = 4096;

void check_details(const service_details& d) {
    for (const auto* text : {&d.state, &d.changed_at, &d.changed_by, &d.token_serial}) {
        require(simdjson::validate_utf8(*text), "details are UTF-8");
        require(text->size() <= longest_detail, "details are short");
    }
}

bool is_wanted(const row& r, std::string_view state) {
    const auto& wanted = operation_of(r.operation()).wanted_states;
    return std::ranges::find(wanted, state) != wanted.end();
}

/// Names written with escapes cannot be looked for; all others must be there.
bool names(std::string_view body, std::string_view text) {
    return body.find('\\') != std::string_view::npos ||
           to_lower(body).find(to_lower(text)) != std::string::npos;
}

void check_reply(reply_reader& reader, const row& r, std::string_view body) {
    const auto reading = reader.read_reply(r, body);
    require(reading.confirmed == reading.problem.empty(), "a reply confirms, or its problem is told");
    require_line(reading.problem, longest_note);
    check_details(reading.details);
    if (!reading.confirmed) return;
    require(is_wanted(r, reading.details.state), "what confirms is in a wanted state");
    require(names(body, r.subject()) && names(body, r.get(field::user_id)), "what confirms names token and user");
}

void check_lookup(reply_reader& reader, const row& r, std::string_view body) {
    const auto reading = reader.read_lookup(r, body);
    require_line(reading.note, longest_note);
    check_details(reading.details);
    if (reading.state != actual_state::as_wanted) return;
    require(is_wanted(r, reading.details.state), "what is as wanted is in a wanted state");
    require(names(body, r.subject()) && names(body, r.get(field::user_id)), "what is as wanted names token and user");
}

}  // namespace

FUZZ_TARGET(replies) {
    static reply_reader reader;
    static const std::array<owned_row, 5> rows{owned_row(0, operation_id::assign, "000123456789", user_a),
                                               owned_row(1, operation_id::assign, "000123456789", user_a, "Front desk"),
                                               owned_row(2, operation_id::enable, "000123456789", user_a),
                                               owned_row(3, operation_id::disable, "000123456789", user_a),
                                               owned_row(4, operation_id::enable_ds100, "140100080", user_a)};
    for (const auto& each : rows) {
        check_reply(reader, each.what, input);
        check_lookup(reader, each.what, input);
    }
    const auto message = reader.read_error(input);
    require_line(message, longest_note);
    require(input.empty() || !message.empty(), "something is told of every body");
    (void)refused_by_limit({403, std::string(input), {}}, message);
}
