// Simulated runs on the real journal code and a disk that fails: a job, its service and its disk, over as
// many processes as it takes, and the checks of what must hold at each restart and at the end.
#pragma once

#include "io/journal_file.hpp"
#include "tests/support/faulty_disk.hpp"
#include "tests/support/simulated_process.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::test {

inline const std::string journal_path = "/jobs/job.csv.journal";

/// The real journal file on a disk of the test's, driven in virtual time.
class disk_journal final : public run_journal {
  public:
    disk_journal(faulty_disk& disk, journal_header header) : disk_(disk), header_(std::move(header)) {}

    /// The process is gone.
    void close() {
        journal_.reset();
        under_way_ = false;
        appended_.clear();
    }

    journal_replay reopen() override {
        close();
        journal_contents contents;
        const bool there = disk_.exists(journal_path);
        auto opened = there ? journal_file::resume(context_.get_executor(), journal_path, contents, disk_)
                            : journal_file::create(context_.get_executor(), journal_path, header_, disk_);
        if (!opened) {
            const error& e = opened.error();
            const bool unborn = disk_.without_tmpfile && e.is(errc::journal_damaged) && promised.empty();
            if (!e.is(errc::storage) && !unborn && (there || !e.is(errc::usage))) FAIL_CHECK(e.message);
            if (unborn) disk_.unlink(journal_path.c_str());  // as its owner has to
            throw journal_failed{};
        }
        journal_ = std::move(*opened);
        if (!there) contents.replay.add(header_);
        journal_->session({.at = header_.created_at, .process = 1, .version = "test"});
        return contents.replay;
    }
    std::uint64_t intents(std::span<const std::uint64_t> rows) override { return journal_->intents(rows); }
    std::uint64_t withdrawn(std::span<const std::uint64_t> rows) override {
        return journal_->withdrawn(rows);
    }
    std::uint64_t outcome(const row_outcome& o) override {
        const auto position = journal_->outcome(o);
        appended_.push_back({position, {o.row, o.result}});
        return position;
    }
    std::uint64_t end(const end_record& r) override { return journal_->end(r); }
    std::uint64_t limit(const learnt_limit& l) override { return journal_->limit(l); }

    [[nodiscard]] bool gathers() const override { return !under_way_ && !journal_->settled(); }
    bool begin_sync() override {
        if (!gathers()) return false;
        std::optional<result<std::uint64_t>> told;
        journal_->flush([&](result<std::uint64_t> position) { told = std::move(position); });
        context_.restart();
        context_.run();
        if (!told.value()) {
            CHECK(told->error().is(errc::storage));
            // Whatever is asked of it now, nothing more is written.
            const auto calls = disk_.calls();
            journal_->flush([](const result<std::uint64_t>&) { FAIL("a broken journal was written again"); });
            context_.restart();
            context_.run();
            CHECK(disk_.calls() == calls);
            throw journal_failed{};
        }
        position_ = **told;
        for (; !appended_.empty() && appended_.front().first <= position_; appended_.pop_front())
            promised[appended_.front().second.first] = appended_.front().second.second;
        return under_way_ = true;
    }
    std::uint64_t end_sync() override {
        under_way_ = false;
        return position_;
    }
    void sync_now() override {
        under_way_ = false;
        while (begin_sync()) under_way_ = false;
    }

    /// What a reader finds in these bytes.
    [[nodiscard]] static journal_replay replay_of(std::string_view bytes) {
        journal_replay replay;
        journal_decoder d;
        d.feed(bytes);
        d.finish();
        journal_record record;
        while (d.next(record) == journal_decoder::step::record) replay.add(record);
        return replay;
    }
    /// The state of the rows if the power failed now.
    const journal_replay& durable() {
        if (disk_.syncs() != durable_at_) durable_ = replay_of(disk_.durable(journal_path));
        durable_at_ = disk_.syncs();
        return durable_;
    }

    std::map<std::uint64_t, muster::outcome> promised;  // outcomes that were told to be durable

  private:
    faulty_disk& disk_;
    journal_header header_;
    boost::asio::io_context context_;
    std::unique_ptr<journal_file> journal_;
    bool under_way_ = false;
    std::uint64_t position_ = 0;
    std::deque<std::pair<std::uint64_t, std::pair<std::uint64_t, muster::outcome>>> appended_;
    journal_replay durable_;
    std::size_t durable_at_ = ~std::size_t{0};
};

/// Assign and enable for each token, and disable again for every third.
inline std::vector<owned_row> job_of(std::size_t tokens) {
    std::vector<owned_row> rows;
    for (std::size_t i = 0; i < tokens; ++i) {
        const auto serial = fmt::format("{:012}", i);
        const auto& user = i % 2 == 0 ? user_a : user_b;
        for (const auto op : {operation_id::assign, operation_id::enable, operation_id::disable})
            if (op != operation_id::disable || i % 3 == 0) rows.emplace_back(rows.size(), op, serial, user);
    }
    return rows;
}

/// How a process ends.
enum class end_of_process : std::uint8_t { killed, killed_and_evicted, power_failed };

/// One job with its service and its disk, over as many processes as it takes.
struct world {
    const std::vector<owned_row>& rows;
    unsigned concurrency;
    std::mt19937_64 random;
    simulated_service service;
    faulty_disk disk;
    disk_journal journal;
    std::set<std::uint64_t> sent;
    std::size_t processes = 0;

    world(const std::vector<owned_row>& r, unsigned c, std::uint64_t seed)
        : world(r, c, seed, header_for(r.size())) {}
    world(const std::vector<owned_row>& r, unsigned c, std::uint64_t seed, journal_header header)
        : rows(r), concurrency(c), random(seed), journal(disk, std::move(header)) {
        for (const auto& row : rows) service.tokens[std::string(row.what.subject())];
    }

    static journal_header header_for(std::uint64_t rows) {
        journal_header h;
        h.version = "test";
        h.created_at = wall_time(1'800'000'000'000ms);
        h.job_path = "/jobs/job.csv";
        h.job_sha256 = std::string(64, '0');
        h.job_size = rows * 100 + 100;
        h.rows = rows;
        return h;
    }

    /// One process; true when the job is done.
    bool live(const fault_shares& faults, std::size_t events = 1'000'000) {
        ++processes;
        try {
            simulated_process p(rows, service, journal, faults,
                                {.concurrency = concurrency,
                                 .max_attempts = 12,
                                 .max_rate = {},
                                 .stop_after = {},
                                 .seed = random()},
                                random());
            p.sync_takes = 20ms;  // of a slow disk: fewer calls a run, and more rows under way at each
            check_replay(p.before());
            p.interfere = [&](const order& o, const row& r) -> std::optional<http_reply> {
                if (o.lookup) return std::nullopt;
                sent.insert(r.index());
                // What is sent now is known to have been sent even if the power fails at this moment.
                const auto& states = journal.durable().rows();
                const bool known = r.index() < states.size() && states[r.index()] != row_state::untouched;
                if (!known) FAIL_CHECK("a row was sent whose intent is not durable: " << r.index());
                return std::nullopt;
            };
            return p.run(events);
        } catch (const journal_failed&) {
            return false;  // it could not be opened
        }
    }

    void end(end_of_process how) {
        disk.process_ends();
        journal.close();
        if (how == end_of_process::killed_and_evicted) disk.evict();
        if (how == end_of_process::power_failed) disk.power_fails(random(), random() % 2 == 0);
    }

    /// Each outcome that was told to be durable is there, and each row that was sent is not taken for unsent.
    void check_replay(const journal_replay& replay) {
        const auto& states = replay.rows();
        for (const auto& [row, result] : journal.promised)
            if (result != outcome::blocked && outcome_of(states.at(row)) != result)
                FAIL_CHECK("row " << row << " lost its outcome");
        for (const auto row : sent)
            if (states.at(row) == row_state::untouched) FAIL_CHECK("row " << row << " counts as never sent");
    }

    void check_end() {
        end(end_of_process::power_failed);
        const auto replay = disk_journal::replay_of(disk.content(journal_path));
        check_replay(replay);
        const auto counts = replay.counts();
        CHECK(counts[outcome::applied] + counts[outcome::already] == rows.size());
        CHECK(disk.retried() == 0);
        for (const auto& [serial, t] : service.tokens) {
            const bool toggled = std::stoul(serial) % 3 == 0;
            if (t.assigned_times != 1 || t.enabled_times != (toggled ? 2 : 1) || t.enabled == toggled)
                FAIL_CHECK("token " << serial << " was not changed once by each of its rows");
        }
    }
};

}  // namespace muster::test
