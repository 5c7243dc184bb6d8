// The parser under torture, without a socket: every cut, every changed byte, every part of a reply that never
// ends. Whatever comes, it says "more", "complete" or "broken", and never keeps more than its limits.
#include "io/reply_parser.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {
namespace {

using state = reply_parser::state;

/// A good reply and how it reads.
struct good_reply {
    std::string bytes;
    unsigned status;
    std::string body;
    bool ends_itself = true;  ///< false: the end of the connection is its end
    bool kept = true;
};

std::string chunked(const std::string& chunks) {
    return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
}

std::vector<good_reply> good_replies() {
    const std::string json = R"({"userId":"u","tokenStatus":"Enabled"})";
    const std::string sized = "Content-Length: " + std::to_string(json.size()) + "\r\n\r\n" + json;
    return {
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + sized, 200, json},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n" + sized, 200,
         json},
        {chunked("3\r\nabc\r\n4;x=y;z=\"q\"\r\ndefg\r\n0\r\nTrailer: u\r\n\r\n"), 200, "abcdefg"},
        {chunked("0\r\n\r\n"), 200, ""},
        {"HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\nConnection: close\r\n" + sized, 429, json, true, false},
        {"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>", 502, "<html>"},
        {"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
        {"HTTP/1.0 200 OK\r\n" + sized, 200, json, true, false},
        {"HTTP/1.1 200 OK\r\n\r\n" + json, 200, json, false, false},
        {"HTTP/1.0 500 Oops\r\n\r\nto the end", 500, "to the end", false, false},
    };
}

/// Gives the parser `bytes`, at most `piece` at once, until it has enough.
state feed(reply_parser& parser, std::string_view bytes, std::size_t piece = 16'384) {
    state now = state::more;
    while (!bytes.empty() && now == state::more) {
        const auto room = parser.prepare();
        const std::size_t size = std::min({bytes.size(), piece, room.size()});
        std::memcpy(room.data(), bytes.data(), size);
        bytes.remove_prefix(size);
        now = parser.commit(size);
    }
    return now;
}

void check_reads(reply_parser& parser, state now, const good_reply& want) {
    if (!want.ends_itself && now == state::more) now = parser.finish();
    REQUIRE(now == state::complete);
    CHECK(parser.keeps_alive() == want.kept);
    const http_reply got = parser.reply();
    CHECK(got.status == want.status);
    CHECK(got.body == want.body);
}

/// Feeds `start` and then `again` for ever; the bytes after which the parser had enough.
std::size_t bytes_until_broken(const std::string& start, const std::string& again) {
    reply_parser parser;
    parser.start();
    std::size_t fed = start.size();
    state now = feed(parser, start);
    while (now == state::more && fed < 8'000'000) {
        now = feed(parser, again);
        fed += again.size();
    }
    CHECK(now == state::broken);
    CHECK_FALSE(parser.problem().empty());
    return fed;
}

}  // namespace

TEST_CASE("reply_parser: a reply in two pieces, split anywhere, and byte by byte, reads the same") {
    std::size_t splits = 0;
    reply_parser parser;
    for (const good_reply& good : good_replies()) {
        CAPTURE(good.bytes);
        for (std::size_t cut = 0; cut <= good.bytes.size(); ++cut, ++splits) {
            parser.start();
            state now = feed(parser, std::string_view(good.bytes).substr(0, cut));
            if (now == state::more) now = feed(parser, std::string_view(good.bytes).substr(cut));
            check_reads(parser, now, good);
        }
        parser.start();
        check_reads(parser, feed(parser, good.bytes, 1), good);
    }
    MESSAGE(splits << " splits");
}

// Beast asserts that behind the last chunk's line not just one byte more has come; one byte is what came.
TEST_CASE("reply_parser: a chunked reply in pieces of any sizes, also of one byte, reads the same") {
    std::size_t ways = 0;
    for (const good_reply& good :
         {good_reply{chunked("0\r\n\r\n"), 200, ""}, good_reply{chunked("00\r\n\r\n"), 200, ""},
          good_reply{chunked("0;x\r\n\r\n"), 200, ""}, good_reply{chunked("1\r\na\r\n0\r\n\r\n"), 200, "a"},
          good_reply{chunked("0\r\nA: b\r\n\r\n"), 200, ""}}) {
        const std::size_t headers = good.bytes.find("\r\n\r\n") + 4;
        const std::string_view body = std::string_view(good.bytes).substr(headers);
        CAPTURE(body);
        // Bit n says that a piece ends before byte n of the body.
        for (std::size_t ends = 0; ends < std::size_t{1} << body.size(); ++ends, ++ways) {
            CAPTURE(ends);
            reply_parser parser;
            parser.start();
            std::string piece = good.bytes.substr(0, headers);
            state now = state::more;
            for (std::size_t i = 0; i < body.size(); ++i) {
                if ((ends >> i & 1) != 0) now = feed(parser, std::exchange(piece, {}));
                REQUIRE(now == state::more);
                piece += body[i];
            }
            check_reads(parser, feed(parser, piece), good);
        }
    }
    MESSAGE(ways << " ways");
}

TEST_CASE("reply_parser: a reply cut at any byte is never taken for a whole one") {
    std::size_t cuts = 0;
    reply_parser parser;
    for (const good_reply& good : good_replies()) {
        CAPTURE(good.bytes);
        const std::size_t headers = good.bytes.find("\r\n\r\n") + 4;
        for (std::size_t cut = 0; cut < good.bytes.size(); ++cut, ++cuts) {
            parser.start();
            CHECK(feed(parser, std::string_view(good.bytes).substr(0, cut)) == state::more);
            if (cut == 0) CHECK_FALSE(parser.started());
            // What the end of the connection ends is whole wherever it ends; anything else is not.
            if (good.ends_itself || cut < headers) CHECK(parser.finish() != state::complete);
        }
    }
    MESSAGE(cuts << " cuts");
}

TEST_CASE("reply_parser: with any byte changed to any other, it reads, waits or refuses, and no more") {
    std::size_t changes = 0;
    std::size_t refused = 0;
    reply_parser parser;
    for (const good_reply& good : good_replies())
        for (std::size_t at = 0; at < good.bytes.size(); ++at)
            for (int byte = 0; byte < 256; ++byte) {
                std::string changed = good.bytes;
                if (changed[at] == static_cast<char>(byte)) continue;
                changed[at] = static_cast<char>(byte);
                ++changes;
                parser.start();
                state now = feed(parser, changed);
                if (now == state::more) now = parser.finish();
                if (now == state::broken) ++refused;
                if (now != state::complete) continue;
                const http_reply got = parser.reply();
                if (got.status > 999 || got.body.size() > good.bytes.size()) FAIL_CHECK(changed);
            }
    CHECK(refused > changes / 4);
    MESSAGE(changes << " changed bytes, " << refused << " refused");
}

TEST_CASE("reply_parser: random bytes, alone and behind a good start, are refused or waited for") {
    std::mt19937_64 random(20'261'122);
    reply_parser parser;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = round % 2 == 0 ? "" : round % 4 == 1 ? "HTTP/1.1 200 OK\r\n" : chunked("");
        for (auto n = random() % 200; n > 0; --n) bytes += static_cast<char>(random());
        parser.start();
        if (feed(parser, bytes) == state::more) CHECK(parser.finish() != state::complete);
    }
}

TEST_CASE("reply_parser: what never ends is refused, whatever part of a reply it is") {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    struct endless {
        const char* what;
        std::string start;
        std::string again;
        std::size_t most;
    };
    constexpr std::size_t header_limit = 64 * 1024;
    constexpr std::size_t body_limit = 1024 * 1024;
    constexpr std::size_t slack = 32 * 1024;
    for (const endless& e : {
             endless{"a reason", "HTTP/1.1 200 ", std::string(1000, 'x'), header_limit + slack},
             endless{"line breaks before the status", "", "\r\n", header_limit + slack},
             endless{"a header's name", ok, std::string(1000, 'x'), header_limit + slack},
             endless{"a header's value", ok + "X: ", std::string(1000, 'x'), header_limit + slack},
             endless{"a folded header", ok + "X: y\r\n", " " + std::string(100, 'x') + "\r\n",
                     header_limit + slack},
             endless{"headers", ok, "X: y\r\n", header_limit + slack},
             endless{"interim replies", "", "HTTP/1.1 100 Continue\r\n\r\n", 1000},
             endless{"a chunk's size", chunked(""), std::string(1000, '0'), header_limit + slack},
             endless{"a chunk's extension", chunked("5;x="), std::string(1000, 'x'), header_limit + slack},
             endless{"chunks", chunked(""), "4\r\nabcd\r\n", 3 * body_limit},
             endless{"a large chunk", chunked("f0000\r\n"), std::string(1000, 'x'), body_limit + slack},
             endless{"a trailer", chunked("0\r\n"), "X: y\r\n", header_limit + slack},
             endless{"a body to the end", ok + "\r\n", std::string(1000, 'x'), body_limit + slack},
         }) {
        CAPTURE(e.what);
        CHECK(bytes_until_broken(e.start, e.again) <= e.most);
    }
}

TEST_CASE("reply_parser: headers of 1 MiB, and lengths that are none, are refused") {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    for (const std::string& bad :
         {ok + "X: " + std::string(1024 * 1024, 'x') + "\r\n\r\n", ok + "Content-Length: -1\r\n\r\n",
          ok + "Content-Length: 99999999999999999999999\r\n\r\n",
          ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", ok + "Content-Length: 1048577\r\n\r\n",
          ok + "Content-Length: 0x10\r\n\r\n",
          ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
          chunked("ffffffffffffffffff\r\n"), chunked("-1\r\n"), chunked("3\r\nabcd\r\n0\r\n\r\n"),
          chunked("g\r\n"), std::string("HTTP/2 200 OK\r\n\r\n"), std::string("HTTP/1.1 99999 OK\r\n\r\n"),
          std::string("<html><body>502 Bad Gateway</body></html>\r\n\r\n")}) {
        reply_parser parser;
        parser.start();
        CHECK_MESSAGE(feed(parser, bad) == state::broken, bad.substr(0, 80));
    }
}

TEST_CASE("reply_parser: after anything at all it starts afresh") {
    const good_reply good = good_replies().front();
    reply_parser parser;
    for (const good_reply& before : good_replies())
        for (const std::size_t cut : {std::size_t{3}, before.bytes.size() / 2, before.bytes.size()}) {
            parser.start();
            feed(parser, before.bytes.substr(0, cut) + "\r\nrubbish");
            parser.start();
            check_reads(parser, feed(parser, good.bytes), good);
        }
}

namespace {

/// All that a parser says of those bytes, as text.
std::string reading(reply_parser& parser, const std::string& bytes) {
    parser.start();
    state now = feed(parser, bytes);
    std::string said = parser.started() ? "started " : "";
    if (now == state::more) said += "more ", now = parser.finish();
    if (now == state::broken) return said + "broken: " + parser.problem();
    if (now == state::more) return said + "more";
    said += std::string(parser.keeps_alive() ? "kept " : "") + (parser.has_more() ? "has more " : "");
    const http_reply got = parser.reply();
    said += std::to_string(got.status) + " " + got.body;
    for (const auto& [name, value] : got.headers) said += "\n" + name + ": " + value;
    return said;
}

}  // namespace

TEST_CASE(
    "reply_parser: what was read before, also if it began alike, changes nothing of how a reply reads") {
    std::vector<std::string> replies{
        "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nContent-Length: 5\r\n\r\nfirst",
        "HTTP/1.1 200 OK\r\nDate: Mon, 23 Nov 2026 10:00:00 GMT\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching\r\nContent-Length: 0\r\n\r\n"};
    for (const good_reply& good : good_replies()) replies.push_back(good.bytes);
    std::size_t read = 0;
    for (const std::string& before : replies)
        for (const std::string& reply : {before, replies.front()})
            for (std::size_t i = 0; i <= reply.size(); ++i)
                for (const char c : {'\0', '\n', ' ', '0', '1', '9', 'k', '\x80'}) {
                    std::string changed = reply;
                    if (i < reply.size())
                        changed[i] = c;
                    else if (c != '\0')  // and once as it was
                        changed += c;
                    CAPTURE(before);
                    CAPTURE(changed);
                    reply_parser fresh, used;
                    reading(used, before);
                    REQUIRE(reading(used, changed) == reading(fresh, changed));
                    ++read;
                }
    MESSAGE(read << " replies");
}

TEST_CASE(
    "reply_parser: a reply that began like the one before is whole only when its body is, in any pieces") {
    for (const good_reply& good : good_replies()) {
        CAPTURE(good.bytes);
        for (std::size_t cut = 0; cut <= good.bytes.size(); ++cut) {
            CAPTURE(cut);
            reply_parser fresh, used;
            reading(used, good.bytes);
            REQUIRE(reading(used, good.bytes.substr(0, cut)) == reading(fresh, good.bytes.substr(0, cut)));
            reading(used, good.bytes);
            used.start();
            state now = feed(used, std::string_view(good.bytes).substr(0, cut));
            if (now == state::more) now = feed(used, std::string_view(good.bytes).substr(cut));
            check_reads(used, now, good);
        }
    }
}

TEST_CASE("reply_parser: replies of which few begin alike read the same, in any order") {
    std::mt19937 random(1);
    reply_parser used;
    for (int n = 0; n < 2'000; ++n) {
        const int kinds = n < 500 ? 1'000'000 : n < 1'000 ? 2 : n < 1'500 ? 1 : 20;
        const std::string id = std::to_string(std::uniform_int_distribution<int>(1, kinds)(random));
        const std::string reply = "HTTP/1.1 200 OK\r\nRetry-After: " + id + "\r\nContent-Length: 3\r\n\r\n" +
                                  std::to_string(100 + n % 900);
        CAPTURE(n);
        reply_parser fresh;
        REQUIRE(reading(used, reply) == reading(fresh, reply));
    }
}

}  // namespace muster
