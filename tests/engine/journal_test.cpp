#include "engine/journal/crc32c.hpp"
#include "engine/journal/decoder.hpp"
#include "engine/journal/encoder.hpp"
#include "engine/journal/replay.hpp"

#include <doctest/doctest.h>

#include <array>
#include <random>

using namespace muster;
using step = journal_decoder::step;

namespace {

journal_header sample_header(std::uint64_t rows) {
    journal_header h;
    h.version = "0.1.0";
    h.created_at = *from_iso("2026-11-22T08:00:00.000Z");
    h.job_path = "/jobs/a \"b\".csv";
    h.job_name = "a \"b\".csv";
    h.job_format = "csv";
    h.job_size = 1000 * rows;
    h.job_sha256 = std::string(64, 'a');
    h.rows = rows;
    h.columns = {"operation", "userId", "note, with \"quotes\""};
    h.mapping.map["tokenSerialNumber"] = "Serial No";
    h.settings.concurrency = 7;
    h.settings.max_rate = 12.5;
    h.settings.credentials = "/k";
    h.settings.skip_invalid = true;
    return h;
}

row_outcome sample_outcome(std::uint64_t row, std::mt19937_64& random) {
    const std::array<outcome, 7> all{outcome::applied, outcome::already,   outcome::rejected,
                                     outcome::blocked, outcome::exhausted, outcome::in_doubt,
                                     outcome::invalid};
    row_outcome o;
    o.row = row;
    o.result = all[random() % all.size()];
    o.status = static_cast<unsigned>(random() % 600);
    o.attempts = static_cast<unsigned>(random() % 10);
    o.at = *from_iso("2026-11-22T08:00:00.000Z") +
           std::chrono::milliseconds(static_cast<int>(random() % 200'000) - 100'000);
    if (random() % 2) o.details.state = random() % 2 ? "Enabled" : "Activation Pending";
    if (random() % 2) o.details.changed_at = random() % 2 ? "2021-06-13T04:38:51.961Z" : "yesterday";
    if (random() % 2) o.details.changed_by = "admin " + std::to_string(random() % 3);
    if (random() % 2) o.details.token_serial = "014010008031";
    if (random() % 3 == 0) o.message = "TOKEN_EXPIRED: it has expired 😀";
    return o;
}

struct sample {
    std::string bytes;
    std::vector<std::size_t> ends;  // of each record that next() gives
    std::vector<row_outcome> outcomes;
};

sample make_sample(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    sample s;
    journal_encoder e(sample_header(40));
    const auto mark = [&] { s.ends.push_back(e.offset()); };
    mark();
    e.session({.at = *from_iso("2026-11-22T08:00:01.000Z"), .process = 77, .version = "0.1.0"});
    mark();
    for (std::uint64_t row = 0; row < 40; row += 4) {
        e.intents(std::array{row + 3, row, row + 1, row + 2});
        mark();
        for (std::uint64_t i = 0; i < 3; ++i) {
            s.outcomes.push_back(sample_outcome(row + i, random));
            e.outcome(s.outcomes.back());
            mark();
        }
        e.withdrawn(std::array{row + 3});
        mark();
    }
    e.end(
        {.reason = end_reason::interrupted, .requests = 1, .retries = 2, .throttled = 3, .milliseconds = 4});
    mark();
    s.bytes = e.take();
    return s;
}

// A record as FORMAT.md has it, made without the encoder.
std::string framed(std::uint8_t type, std::string_view payload, std::uint64_t offset) {
    std::string place(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) place[i] = static_cast<char>((offset >> (8 * i)) & 0xFFU);
    std::string checked(3, '\0');
    for (std::size_t i = 0; i < 3; ++i) checked[i] = static_cast<char>((payload.size() >> (8 * i)) & 0xFFU);
    checked += static_cast<char>(type);
    checked += payload;
    const std::uint32_t check = crc32c(place + checked);
    std::string out(4, '\0');
    for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<char>((check >> (8 * i)) & 0xFFU);
    return out + checked;
}

struct reading {
    std::size_t records = 0;
    step last = step::end;
    std::uint64_t good = 0;
    std::vector<row_outcome> outcomes;
    journal_replay replay;
};

reading read_all(std::string_view bytes, std::size_t chunk) {
    reading r;
    journal_decoder d;
    journal_record record;
    std::size_t at = 0;
    while (true) {
        r.last = d.next(record);
        if (r.last == step::need_more) {
            if (at == bytes.size()) d.finish();
            d.feed(bytes.substr(at, chunk));
            at = std::min(bytes.size(), at + chunk);
            continue;
        }
        if (r.last != step::record) break;
        ++r.records;
        r.good = d.offset();
        CHECK(r.replay.add(record));
        if (const auto* o = std::get_if<row_outcome>(&record)) r.outcomes.push_back(*o);
    }
    return r;
}

}  // namespace

TEST_CASE("crc32c: known values, and hardware agrees with the table") {
    CHECK(crc32c("123456789") == 0xE3069283U);
    CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);
    std::mt19937_64 random(1);
    std::string text;
    for (int i = 0; i < 300; ++i) {
        CHECK(crc32c(text) == crc32c_portable(text));
        CHECK(crc32c(std::string_view(text).substr(text.size() / 2),
                     crc32c(std::string_view(text).substr(0, text.size() / 2))) == crc32c(text));
        text += static_cast<char>(random());
    }
}

TEST_CASE("journal: what is written is read back, in pieces of any size") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        const sample s = make_sample(seed);
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{100}, s.bytes.size()}) {
            CAPTURE(seed);
            CAPTURE(chunk);
            const reading r = read_all(s.bytes, chunk);
            CHECK(r.last == step::end);
            CHECK(r.records == s.ends.size());
            CHECK(r.outcomes == s.outcomes);
        }
    }
}

TEST_CASE("journal: outcomes are read again in any order, one in the place of another") {
    const sample s = make_sample(8);
    journal_decoder d;
    d.feed(s.bytes);
    d.finish();
    journal_record record;
    std::vector<std::uint64_t> offsets;
    while (d.next(record) == step::record)
        if (std::holds_alternative<row_outcome>(record)) offsets.push_back(d.record_offset());
    REQUIRE(offsets.size() == s.outcomes.size());
    row_outcome again;
    for (std::size_t i = 0; i < 200; ++i) {
        const std::size_t n = i * 7 % offsets.size();
        REQUIRE(d.outcome_at(s.bytes, offsets[n], again));
        CHECK(again == s.outcomes[n]);
    }
    CHECK_FALSE(d.outcome_at(s.bytes, offsets[1] + 1, again));
    CHECK_FALSE(d.outcome_at(s.bytes, s.bytes.size() + 1, again));
}

TEST_CASE("journal: a number is of 64 bits at the most, and whole") {
    const std::string before = journal_encoder(sample_header(3)).take();
    const std::string nine(9, '\xFF');
    const auto intents_of = [&](const std::string& number) {
        journal_decoder d;
        d.feed(before +
               framed(static_cast<std::uint8_t>(record_type::intents), "\x01" + number, before.size()));
        d.finish();
        journal_record record;
        REQUIRE(d.next(record) == step::record);
        return d.next(record);
    };
    CHECK(intents_of("\x02") == step::record);
    CHECK(intents_of("\x82" + std::string(1, '\0')) == step::record);
    CHECK(intents_of(nine + "\x01") == step::record);
    CHECK(intents_of(nine + "\x02") == step::bad);
    CHECK(intents_of(nine + "\x81" + std::string(1, '\0')) == step::bad);
    CHECK(intents_of("\x82") == step::bad);
    CHECK(intents_of("") == step::bad);
}

TEST_CASE("journal: the header comes back whole") {
    journal_encoder e(sample_header(3));
    journal_decoder d;
    d.feed(e.take());
    journal_record record;
    REQUIRE(d.next(record) == step::record);
    const auto h = std::get<journal_header>(record);
    const auto want = sample_header(3);
    CHECK(h.job_path == want.job_path);
    CHECK(h.job_sha256 == want.job_sha256);
    CHECK(h.columns == want.columns);
    CHECK(h.mapping.map == want.mapping.map);
    CHECK(h.rows == 3);
    CHECK(h.created_at == want.created_at);
    CHECK(h.settings.concurrency == 7);
    CHECK(h.settings.max_rate == 12.5);
    CHECK(h.settings.skip_invalid);
}

TEST_CASE("journal: the worked example of FORMAT.md") {
    // Grow the journal to offset 0x200 with a phrase of the right length, then write the record.
    journal_encoder e(sample_header(100));
    const auto missing = 0x200 - static_cast<long>(e.offset());
    journal_encoder at(sample_header(100).created_at, 0x200, {});
    CHECK(missing != 0);
    at.intents(std::array<std::uint64_t, 3>{3, 4, 9});
    const std::string bytes = at.take();
    REQUIRE(bytes.size() == 12);
    const std::string_view tail("\x04\x00\x00\x04\x03\x06\x02\x0a", 8);
    CHECK(bytes.substr(4) == tail);
    const std::uint32_t check =
        crc32c(std::string("\x00\x02\x00\x00\x00\x00\x00\x00", 8) + std::string(tail));
    for (std::size_t i = 0; i < 4; ++i)
        CHECK(static_cast<unsigned char>(bytes[i]) == ((check >> (8 * i)) & 0xFFU));
}

TEST_CASE("journal: cut at every length, it gives exactly the records before the cut") {
    const sample s = make_sample(5);
    std::size_t cases = 0;
    for (std::size_t length = 0; length < s.bytes.size(); ++length, ++cases) {
        const reading r = read_all(std::string_view(s.bytes).substr(0, length), 64);
        const auto whole =
            static_cast<std::size_t>(std::upper_bound(s.ends.begin(), s.ends.end(), length) - s.ends.begin());
        CAPTURE(length);
        CHECK(r.records == whole);
        // A cut right behind a record, or a phrase, is a clean end; anywhere else it is a torn one.
        if (whole > 0 && s.ends[whole - 1] == length) CHECK(r.last == step::end);
        if (whole == 0) CHECK(r.last == step::bad);
        for (std::size_t i = 0; i < r.outcomes.size(); ++i) CHECK(r.outcomes[i] == s.outcomes[i]);
    }
    MESSAGE("truncations tried: " << cases);
}

TEST_CASE("journal: with any byte changed, no record is read wrongly, and the rest is found again") {
    const sample s = make_sample(6);
    std::size_t cases = 0;
    for (std::size_t at = 0; at < s.bytes.size(); ++at) {
        for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
            ++cases;
            std::string bytes = s.bytes;
            bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ flip);
            journal_decoder d;
            d.feed(bytes);
            d.finish();
            journal_record record;
            std::size_t records = 0;
            step last{};
            while ((last = d.next(record)) == step::record) ++records;
            CAPTURE(at);
            REQUIRE(last == step::bad);
            const auto before =
                static_cast<std::size_t>(std::upper_bound(s.ends.begin(), s.ends.end(), at) - s.ends.begin());
            CHECK(records == before);
            if (before == 0 || before + 1 >= s.ends.size()) continue;  // the header, or the last record
            CHECK(d.resync() == step::record);
            while ((last = d.next(record)) == step::record) {
                ++records;
                const auto* o = std::get_if<row_outcome>(&record);
                if (o == nullptr) continue;
                // A phrase that is lost must not give its number to the next one.
                const auto& written = s.outcomes[static_cast<std::size_t>(o->row / 4 * 3 + o->row % 4)];
                CHECK(o->result == written.result);
                CHECK((o->details.state.empty() || o->details.state == written.details.state));
                CHECK((o->details.changed_by.empty() || o->details.changed_by == written.details.changed_by));
            }
            CHECK(last == step::end);
            CHECK(records + 2 >=
                  s.ends.size());  // a phrase that is lost costs no record, a record itself one
        }
    }
    MESSAGE("flips tried: " << cases);
}

TEST_CASE("journal: records at another place than their own are no records") {
    const sample s = make_sample(7);
    journal_decoder d;
    d.feed(s.bytes.substr(0, s.ends[0]) + s.bytes.substr(s.ends[1]));  // a record is missing in the middle
    d.finish();
    journal_record record;
    CHECK(d.next(record) == step::record);
    CHECK(d.next(record) == step::bad);
    CHECK(d.resync() == step::end);
}

TEST_CASE("journal: version 1 has the record types 1 to 8, and another is no valid record") {
    for (unsigned type = 0; type < 256; ++type) {
        CAPTURE(type);
        journal_encoder e(sample_header(3));
        const std::string before = e.take();
        // Empty, and with the right check for its place: but for the type nothing is wrong with the frame.
        const std::string unknown = framed(static_cast<std::uint8_t>(type), {}, before.size());
        journal_encoder rest(sample_header(3).created_at, before.size() + unknown.size(), {});
        rest.intents(std::array<std::uint64_t, 1>{2});
        for (const bool at_the_end : {false, true}) {
            journal_decoder d;
            d.feed(before + unknown + (at_the_end ? std::string() : rest.take()));
            d.finish();
            journal_record record;
            CHECK(d.next(record) == step::record);
            REQUIRE(d.next(record) == step::bad);
            CHECK(d.offset() == before.size());
            CHECK((d.problem() == "a record of unknown type") == (type < 1 || type > 9));
            CHECK(d.resync() == (at_the_end ? step::end : step::record));
            if (!at_the_end) CHECK(d.next(record) == step::record);
        }
    }
}

TEST_CASE("journal: the learnt limit is read back, to a thousandth") {
    journal_encoder e(sample_header(3));
    e.limit({.rate = 12.345, .burst = 50, .cycle = 60.5, .company = 16});
    e.limit({});
    journal_decoder d;
    d.feed(e.take());
    d.finish();
    journal_record record;
    REQUIRE(d.next(record) == step::record);
    REQUIRE(d.next(record) == step::record);
    const auto known = std::get<learnt_limit>(record);
    CHECK(known.rate == 12.345);
    CHECK(known.burst == 50);
    CHECK(known.cycle == 60.5);
    CHECK(known.company == 16);
    REQUIRE(d.next(record) == step::record);
    CHECK(std::get<learnt_limit>(record).rate == 0);
    CHECK(d.next(record) == step::end);
}

TEST_CASE("journal: another version and no journal at all are told") {
    journal_record record;
    journal_decoder newer;
    newer.feed("MUSTERJ\x02xxxxxxxxxxx");
    CHECK(newer.next(record) == step::bad);
    CHECK(newer.problem().find("version 2") != std::string::npos);
    journal_decoder other;
    other.feed("operation,userId\n");
    CHECK(other.next(record) == step::bad);
    CHECK(other.problem().find("no Muster journal") != std::string::npos);
}

TEST_CASE("replay: intents without outcomes are in doubt, withdrawn ones are not, the last outcome counts") {
    journal_replay r;
    CHECK_FALSE(r.add(intents_record{{0}}));
    CHECK(r.add(sample_header(6)));
    CHECK(r.add(intents_record{{0, 1, 2, 3}}));
    CHECK(r.add(row_outcome{.row = 0, .result = outcome::applied}));
    CHECK(r.add(row_outcome{.row = 1, .result = outcome::in_doubt}));
    CHECK(r.add(withdrawn_record{{2}}));
    auto counts = r.counts();
    CHECK(counts[outcome::applied] == 1);
    CHECK(counts[outcome::in_doubt] == 2);
    CHECK(counts[outcome::pending] == 3);
    CHECK_FALSE(r.finished());
    CHECK(r.add(row_outcome{.row = 1, .result = outcome::already}));
    CHECK(r.add(intents_record{{0}}));  // a row that is done stays done
    CHECK(r.rows()[0] == row_state::applied);
    CHECK_FALSE(r.add(intents_record{{6}}));
    CHECK_FALSE(r.add(row_outcome{.row = 6}));
}
