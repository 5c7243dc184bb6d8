// The HTTP reply parser: a stream of bytes reads the same in one piece and byte by byte, interim replies never come
// out, and what the headers say of limits is within bounds.
#include "engine/limit_hint.hpp"
#include "io/reply_parser.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

using namespace muster;
using namespace muster::fuzz;
using state = reply_parser::state;

namespace {

struct reading {
    state last = state::more;
    http_reply reply;
    bool keeps_alive = false;
    std::size_t taken = 0;  // bytes given until it was complete
    std::string problem;
};

reading read_through(std::string_view bytes, std::size_t chunk, bool to_connect, reply_parser& parser) {
    reading r;
    parser.start(to_connect);
    while (r.last == state::more && r.taken < bytes.size()) {
        const auto room = parser.prepare();
        require(room.size() >= 16 * 1024, "there is room");
        const std::size_t n = std::min({chunk, room.size(), bytes.size() - r.taken});
        std::memcpy(room.data(), bytes.data() + r.taken, n);
        r.taken += n;
        r.last = parser.commit(n);
    }
    if (r.last == state::more) r.last = parser.finish();
    r.problem = parser.problem();
    if (r.last != state::complete) return r;
    r.keeps_alive = parser.keeps_alive();
    require(!(r.keeps_alive && parser.has_more()), "a connection that says more than asked is not kept");
    r.reply = parser.reply();
    return r;
}

reading read_through(std::string_view bytes, std::size_t chunk, bool to_connect) {
    reply_parser parser;
    return read_through(bytes, chunk, to_connect, parser);
}

void check_reply(const http_reply& reply) {
    require(reply.status >= 200 || reply.status == 101 || reply.status < 100, "interim replies do not come out");
    require(reply.status <= 999, "a status has three digits");
    require(reply.body.size() <= 1024 * 1024, "a body is at most 1 MiB");
    for (const auto& [name, value] : reply.headers) {
        require(std::ranges::none_of(name, [](char c) { return c >= 'A' && c <= 'Z'; }), "names are in lower case");
        require(value.find_first_of("\r\n") == std::string::npos, "a value is one line");
    }
    const auto hint = read_limit_hint(reply, wall_time(std::chrono::milliseconds(1'800'000'000'000)));
    for (const auto& span : {hint.wait, hint.reset})
        require(!span || (span->count() >= 0 && *span <= std::chrono::hours(24)), "no wait is longer than a day");
}

}  // namespace

FUZZ_TARGET(http_reply) {
    for (const bool to_connect : {false, true}) {
        const reading whole = read_through(input, input.size(), to_connect);
        const reading slow = read_through(input, 1, to_connect);
        require(whole.last == slow.last, "in pieces it ends the same");
        require(whole.last == state::broken || whole.problem.empty(), "only what is broken has a problem");
        require(whole.last != state::broken || !whole.problem.empty(), "what is broken has a problem");
        if (whole.last != state::complete) continue;
        require(whole.reply.status == slow.reply.status && whole.reply.body == slow.reply.body &&
                    whole.reply.headers == slow.reply.headers,
                "in pieces it is the same reply");
        check_reply(whole.reply);
        for (const std::size_t piece : {input.size(), input.size() / 2 + 1}) {
            reply_parser used;
            read_through(input, input.size(), to_connect, used);
            const reading again = read_through(input, piece, to_connect, used);
            require(again.last == whole.last && again.reply.status == whole.reply.status &&
                        again.reply.body == whole.reply.body && again.reply.headers == whole.reply.headers,
                    "a second time it reads the same");
        }
        const reading exact = read_through(input.substr(0, slow.taken), input.size(), to_connect);
        require(exact.last == state::complete && exact.keeps_alive == slow.keeps_alive, "without what follows as well");
    }
}
