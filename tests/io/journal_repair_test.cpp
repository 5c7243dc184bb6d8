// Half-done simulated runs whose journal is damaged everywhere, repaired, and gone on with: nothing is
// applied twice, and nothing is called done that is not.
#include "io/journal_repair.hpp"

#include "io/job_file.hpp"
#include "tests/support/journal_world.hpp"
#include "tests/support/scratch_directory.hpp"

#include <doctest/doctest.h>

using namespace muster;
using namespace muster::test;

namespace {

constexpr wall_time now{std::chrono::milliseconds(1'800'000'900'000)};
constexpr fault_shares some_faults{
    .server_error = 2, .server_error_after = 2, .lost_request = 2, .lost_reply = 2};

// The job as a file, which a repair reads, and a journal's header that belongs to it.
struct job {
    scratch_directory folder;
    std::vector<owned_row> rows;
    journal_header header;

    explicit job(std::size_t tokens) : rows(job_of(tokens)) {
        std::string text = "operation,userId,tokenSerialNumber\n";
        for (const auto& r : rows)
            text += fmt::format("{},{},{}\n", operation_of(r.what.operation()).name,
                                r.what.get(field::user_id), r.what.subject());
        const auto file = job_file::open(folder.write("job.csv", text), {});
        REQUIRE(file.has_value());
        header = world::header_for(rows.size());
        header.job_path = file->path();
        header.job_name = "job.csv";
        header.job_format = "csv";
        header.job_size = file->size();
        header.job_sha256 = *file->hash();
    }
};

// A run that was killed half-way.
struct half_run : world {
    half_run(const job& j, std::size_t events) : world(j.rows, 6, 7, j.header) {
        live(some_faults, events);
        end(end_of_process::killed);
    }
};

struct counters {
    std::size_t cases = 0, torn = 0, refused = 0, repaired = 0, held = 0;
};

// Damages the journal, repairs it, and lets the run end.
void damaged_and_repaired(half_run& w, const std::string& bytes, counters& count) {
    ++count.cases;
    w.disk.put(journal_path, bytes);
    const auto done = repair_journal(journal_path, now, w.disk);
    if (!done) {
        CHECK(done.error().is(errc::journal_damaged));  // the header
        CHECK(w.disk.content(journal_path) == bytes);
        ++count.refused;
        return;
    }
    if (done->was_sound) {
        ++count.torn;
        return;
    }
    ++count.repaired;
    count.held += done->held > 0;
    CHECK(w.disk.durable(done->original) == bytes);
    CHECK(done->kept + done->inferred + done->unsent + done->asked + done->held == w.rows.size());
    const auto repaired = disk_journal::replay_of(w.disk.durable(journal_path));
    for (const auto row : w.sent)
        if (repaired.rows().at(row) == row_state::untouched)
            FAIL_CHECK("row " << row << " counts as never sent");
    for (std::size_t row = 0; row < w.rows.size(); ++row)
        if (repaired.rows()[row] == row_state::applied && w.journal.promised[row] != outcome::applied &&
            !w.sent.contains(row))
            FAIL_CHECK("row " << row << " was never sent and counts as applied");
    w.journal.promised.clear();  // some were lost
    bool finished = false;
    for (int n = 0; n < 3 && !finished; ++n) {
        CHECK(w.live(some_faults));
        w.end(end_of_process::power_failed);
        finished = disk_journal::replay_of(w.disk.content(journal_path)).finished();
    }
    const auto counts = disk_journal::replay_of(w.disk.content(journal_path)).counts();
    CHECK(counts[outcome::applied] + counts[outcome::already] + counts[outcome::in_doubt] == w.rows.size());
    CHECK(counts[outcome::in_doubt] <= 2 * done->held);
    for (const auto& [serial, t] : w.service.tokens) {
        const bool toggled = std::stoul(serial) % 3 == 0;
        const int most = toggled ? 2 : 1;
        if (t.assigned_times != 1 || t.enabled_times > most)
            FAIL_CHECK("token " << serial << " was changed again");
        if (counts[outcome::in_doubt] == 0 && (t.enabled_times != most || t.enabled == toggled))
            FAIL_CHECK("token " << serial << " is not as the job wants it");
        if (toggled && t.enabled && counts[outcome::in_doubt] == 0)
            FAIL_CHECK("token " << serial << " is enabled");
    }
}

}  // namespace

TEST_CASE("journal repair: with any byte changed, the run goes on and each row is applied once" *
          doctest::test_suite("long")) {
    const job j(16);
    counters count;
    const std::string whole = half_run(j, 45).disk.content(journal_path);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        CAPTURE(at);
        half_run w(j, 45);
        auto bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
        damaged_and_repaired(w, bytes, count);
    }
    MESSAGE("bytes changed: " << count.cases << " (" << count.repaired << " repaired, " << count.held
                              << " with rows held; header " << count.refused << ", tail " << count.torn
                              << ")");
    CHECK(count.repaired > 300);
    CHECK(count.torn < 200);
}

TEST_CASE(
    "journal repair: with any stretch wiped, in one place or several, each row is applied once at most" *
    doctest::test_suite("long")) {
    const job j(16);
    counters count;
    std::mt19937_64 random(1);
    for (std::size_t n = 0; n < 800; ++n) {
        CAPTURE(n);
        half_run w(j, 15 + n % 45);
        auto bytes = w.disk.content(journal_path);
        const auto records = bytes.find("}}") + 2;  // behind the header
        for (auto places = 1 + random() % 3; places > 0; --places) {
            const auto from = records + random() % (bytes.size() - records);
            for (auto i = from; i < std::min(bytes.size(), from + 1 + random() % 600); ++i) bytes[i] = '\0';
        }
        damaged_and_repaired(w, bytes, count);
    }
    MESSAGE("stretches wiped: " << count.cases << " (" << count.repaired << " repaired, " << count.held
                                << " with rows held)");
    CHECK(count.repaired > 400);
}

TEST_CASE("journal repair: cut off at any call, the journal is the damaged one or the repaired one") {
    const job j(6);
    auto bytes = half_run(j, 14).disk.content(journal_path);
    bytes[bytes.find("}}") + 30] ^= 1;
    std::size_t cases = 0;
    for (const auto what :
         {fault::dies_before, fault::dies_after, fault::eio, fault::enospc, fault::short_then_full})
        for (std::size_t at = 0;; ++at, ++cases) {
            CAPTURE(static_cast<int>(what));
            CAPTURE(at);
            faulty_disk disk;
            disk.put(journal_path, bytes);
            disk.plan(what, at);
            const auto done = repair_journal(journal_path, now, disk);
            if (!disk.happened() && done) break;
            if (at > 100) break;
            disk.power_fails(at * 13, at % 2 == 0);
            const auto left = disk.content(journal_path);
            const bool kept = left == bytes || disk.content(journal_path + ".damaged") == bytes;
            CHECK(kept);
            if (left != bytes) {
                const auto again = read_journal(journal_path, {}, disk);
                CHECK((again && again->damages.empty() && again->replay.lost() > 0));
            } else {
                const auto again = repair_journal(journal_path, now, disk);
                CHECK((again && !again->was_sound));
            }
        }
    MESSAGE("cases tried: " << cases);
}

TEST_CASE(
    "journal repair: refused while another process is at work on it; the original never goes over another") {
    const job j(6);
    half_run w(j, 14);
    auto bytes = w.disk.content(journal_path);
    bytes[bytes.find("}}") + 30] ^= 1;
    w.disk.put(journal_path, bytes);
    w.disk.put(journal_path + ".damaged", "an older one");
    const int fd = w.disk.open(journal_path.c_str(), O_RDWR, 0);
    REQUIRE(w.disk.lock(fd) == 0);
    CHECK(repair_journal(journal_path, now, w.disk).error().is(errc::journal_busy));
    w.disk.close(fd);
    const auto done = repair_journal(journal_path, now, w.disk);
    REQUIRE(done.has_value());
    CHECK(done->original == journal_path + ".damaged.2");
    CHECK(w.disk.content(journal_path + ".damaged") == "an older one");
    CHECK_FALSE(w.disk.exists(journal_path + ".repairing"));
    CHECK(repair_journal(journal_path, now, w.disk)->was_sound);
}
