// Journals whose checks are right and whose records hold anything: [type] [length, two bytes] [payload] … is framed as
// FORMAT.md says, behind a header unless the input begins with its own. What is read, encoded and read again is the
// same, and replays to the same state.
#include "engine/journal/crc32c.hpp"
#include "engine/journal/decoder.hpp"
#include "engine/journal/encoder.hpp"
#include "engine/journal/replay.hpp"
#include "engine/text.hpp"
#include "tests/fuzz/target.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

using namespace muster;
using namespace muster::fuzz;
using step = journal_decoder::step;

namespace {

void append_number(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

void append_framed(std::string& out, char type, std::string_view payload) {
    std::string checked, place;
    append_number(checked, payload.size(), 3);
    checked += type;
    checked += payload;
    append_number(place, out.size(), 8);
    append_number(out, crc32c(checked, crc32c(place)), 4);
    out += checked;
}

journal_header sample_header() {
    journal_header h;
    h.version = "0.1.0";
    h.created_at = *from_iso("2026-11-22T08:00:00.000Z");
    h.job_path = "/jobs/job.csv";
    h.job_format = "csv";
    h.job_size = 4000;
    h.job_sha256 = std::string(64, 'a');
    h.rows = 40;
    return h;
}

std::string journal_of(std::string_view input) {
    std::string out(journal_magic);
    if (!input.starts_with('\x01')) append_framed(out, '\x01', header_to_json(sample_header()));
    while (input.size() >= 3) {
        const char type = input[0];
        const std::size_t length = static_cast<unsigned char>(input[1]) + 256U * static_cast<unsigned char>(input[2]);
        const auto payload = input.substr(3, length);
        append_framed(out, type, payload);
        input.remove_prefix(3 + payload.size());
    }
    return out;
}

std::vector<journal_record> records_of(std::string_view bytes) {
    journal_decoder decoder;
    decoder.feed(bytes);
    decoder.finish();
    std::vector<journal_record> all;
    journal_record each;
    while (decoder.next(each) == step::record) all.push_back(each);
    return all;
}

/// One function a kind of record, so that a new kind does not compile before it is fuzzed.
struct record_writer {
    journal_encoder& to;

    void operator()(const journal_header&) const { require(false, "only the first record is a header"); }
    void operator()(const session_record& r) const { to.session(r); }
    void operator()(const intents_record& r) const { to.intents(r.rows); }
    void operator()(const withdrawn_record& r) const { to.withdrawn(r.rows); }
    void operator()(const lost_record& r) const { to.lost(r); }
    void operator()(const row_outcome& r) const { to.outcome(r); }
    void operator()(const end_record& r) const { to.end(r); }
    void operator()(const learnt_limit& r) const { to.limit(r); }
};

/// Empty for no records.
std::string encoded(const std::vector<journal_record>& records) {
    if (records.empty()) return {};
    journal_encoder encoder(std::get<journal_header>(records.front()));
    for (std::size_t i = 1; i < records.size(); ++i) std::visit(record_writer{encoder}, records[i]);
    return encoder.take();
}

journal_replay replayed(const std::vector<journal_record>& records) {
    journal_replay replay;
    for (const auto& each : records)
        if (!replay.add(each)) break;
    return replay;
}

/// Of a list of rows: that it is not empty, which is not written.
bool has_rows(const journal_record& r) {
    return std::visit(
        [](const auto& of_a_kind) {
            if constexpr (requires { of_a_kind.rows.empty(); }) return !of_a_kind.rows.empty();
            else return true;
        },
        r);
}

bool is_kept(const std::string& after, const std::string& before) {
    return after == before || after == kept_text(before, 4096) || after == kept_text(before, 100);
}

/// Reading and writing loses nothing any more once it was done: the first time texts are cut to their limits and
/// records are split.
void check_stable(const std::vector<journal_record>& records) {
    const auto once = encoded(records);
    const auto read = records_of(once);
    require(encoded(read) == once, "what was written is read and written the same");
    require(replayed(read).rows() == replayed(records).rows(), "it replays to the same rows");
    require(read.size() >= static_cast<std::size_t>(std::ranges::count_if(records, has_rows)), "no record is lost");
    for (std::size_t i = 0, k = 0; i < records.size() && k < read.size(); ++i) {
        const auto* before = std::get_if<row_outcome>(&records[i]);
        if (before == nullptr) continue;
        while (k < read.size() && !std::holds_alternative<row_outcome>(read[k])) ++k;
        require(k < read.size(), "no outcome is lost");
        const auto& after = std::get<row_outcome>(read[k++]);
        require(before->row == after.row && before->result == after.result && before->status == after.status &&
                    before->attempts == after.attempts && before->at == after.at,
                "an outcome's numbers are the same");
        require(is_kept(after.message, before->message) && is_kept(after.details.state, before->details.state) &&
                    is_kept(after.details.changed_by, before->details.changed_by) &&
                    is_kept(after.details.changed_at, before->details.changed_at) &&
                    is_kept(after.details.token_serial, before->details.token_serial),
                "an outcome's texts are the same, but for their limits");
    }
}

}  // namespace

FUZZ_TARGET(journal_records) {
    const auto records = records_of(journal_of(input));
    if (records.empty()) return;
    const auto& header = std::get<journal_header>(records.front());
    if (header.rows > 100'000) return;  // only slow
    check_stable(records);
    auto replay = replayed(records);
    if (!replay.has_header()) return;
    const auto counts = replay.counts();
    std::uint64_t sum = 0;
    for (const auto n : counts.of) sum += n;
    require(sum == replay.rows().size(), "every row has one outcome");
    const auto blocked = replay.reopen_blocked();
    require(blocked.size() == counts[outcome::blocked], "as many rows are taken up as were blocked");
    require(replay.counts()[outcome::blocked] == 0, "no row stays blocked");
}
