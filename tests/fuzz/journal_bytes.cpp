// The journal decoder on any bytes: it comes to an end, reads the same in pieces of any size, and every record it gives
// lies where it says.
#include "engine/journal/decoder.hpp"
#include "engine/journal/replay.hpp"
#include "tests/fuzz/target.hpp"

#include <string_view>
#include <tuple>
#include <vector>

using namespace muster;
using namespace muster::fuzz;
using step = journal_decoder::step;

namespace {

/// What the decoder said, with the file offset and the kind of record.
using event = std::tuple<step, std::uint64_t, std::size_t>;

std::vector<event> read_through(std::string_view bytes, std::size_t chunk) {
    std::vector<event> events;
    journal_decoder decoder;
    journal_replay replay;
    journal_record found;
    std::size_t at = 0;
    bool searching = false;
    for (;;) {
        const step s = searching ? decoder.resync() : decoder.next(found);
        if (s == step::need_more) {
            if (at == bytes.size()) decoder.finish();
            const auto piece = bytes.substr(at, chunk);
            decoder.feed(piece);
            at += piece.size();
            continue;
        }
        require(decoder.offset() <= bytes.size(), "nothing is read behind the end");
        if (searching) {
            if (s == step::end) break;
            require(s == step::record, "a search finds a record or the end");
            require(events.empty() || decoder.offset() > std::get<1>(events.back()), "a search goes on");
            searching = false;
            continue;
        }
        events.emplace_back(s, s == step::record ? decoder.record_offset() : decoder.offset(), found.index());
        if (s == step::end) break;
        searching = s == step::bad;
        if (s != step::record) continue;
        (void)replay.add(found);
        row_outcome again;
        if (const auto* outcome = std::get_if<row_outcome>(&found))
            require(decoder.outcome_at(bytes, decoder.record_offset(), again) && again == *outcome,
                    "an outcome can be read again");
    }
    return events;
}

}  // namespace

FUZZ_TARGET(journal_bytes) {
    const auto whole = read_through(input, input.size() + 1);
    require(read_through(input, 1) == whole, "byte by byte it reads the same");
    require(read_through(input, 3 + input.size() % 61) == whole, "in pieces it reads the same");
}
