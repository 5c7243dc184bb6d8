// The journal's disk as a simulation: it takes time, and power fails at any moment.
#pragma once

#include "engine/coordinator.hpp"
#include "engine/journal/decoder.hpp"
#include "engine/journal/encoder.hpp"
#include "engine/journal/replay.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace muster::test {

using namespace std::chrono_literals;

/// The journal as a simulated process needs it.
class run_journal : public journal_sink {
  public:
    /// What a new process reads; cuts a torn tail.
    virtual journal_replay reopen() = 0;
    /// Starts to make durable what was appended; false when there is nothing to do or a sync is under way.
    virtual bool begin_sync() = 0;
    /// begin_sync() would start one.
    [[nodiscard]] virtual bool gathers() const = 0;
    /// Ends it; gives the position up to which all is durable.
    virtual std::uint64_t end_sync() = 0;
    virtual void sync_now() = 0;
};
/// Thrown by a journal that cannot be written: the process ends.
struct journal_failed {};

/// A journal in memory: what is durable, and what was written behind it and may be lost or torn.
class simulated_journal final : public run_journal {
  public:
    explicit simulated_journal(std::uint64_t rows) {
        header_.version = "test";
        header_.created_at = wall_time(1'800'000'000'000ms);
        header_.job_path = "/job.csv";
        header_.job_sha256 = std::string(64, '0');
        header_.job_size = rows * 100 + 100;
        header_.rows = rows;
        encoder_ = std::make_unique<journal_encoder>(header_);
        durable_ = encoder_->take();
    }

    /// Power fails: of what was not synced, `keep` bytes reached the disk.
    void crash(std::size_t keep) {
        std::string lost = writing_ + encoder_->take();
        durable_ += lost.substr(0, keep % (lost.size() + 1));
        writing_.clear();
        writing_now_ = false;
        reopen();
    }
    /// Reads the journal back and cuts a torn tail.
    journal_replay reopen() override {
        journal_replay replay;
        journal_decoder d;
        const bool torn = read(d, replay) == journal_decoder::step::bad;
        const auto good = d.offset();
        if (torn && d.resync() != journal_decoder::step::end)
            throw std::logic_error("a crash looks like damage");
        durable_.resize(static_cast<std::size_t>(good));
        encoder_ = std::make_unique<journal_encoder>(header_.created_at, good, d.phrases());
        return replay;
    }
    /// How a crash at this moment would leave the rows.
    [[nodiscard]] journal_replay replayed() const {
        journal_replay replay;
        journal_decoder d;
        read(d, replay);
        return replay;
    }
    /// What it says became of each row that is done.
    [[nodiscard]] std::map<std::uint64_t, row_outcome> outcomes() const {
        std::map<std::uint64_t, row_outcome> found;
        journal_replay replay;
        journal_decoder d;
        read(d, replay, [&](const journal_record& record) {
            if (const auto* o = std::get_if<row_outcome>(&record)) found[o->row] = *o;
        });
        return found;
    }
    [[nodiscard]] const std::string& bytes() const { return durable_; }

    std::uint64_t intents(std::span<const std::uint64_t> rows) override {
        return encoder_->intents(rows), encoder_->offset();
    }
    std::uint64_t withdrawn(std::span<const std::uint64_t> rows) override {
        return encoder_->withdrawn(rows), encoder_->offset();
    }
    std::uint64_t outcome(const row_outcome& o) override { return encoder_->outcome(o), encoder_->offset(); }
    std::uint64_t end(const end_record& r) override { return encoder_->end(r), encoder_->offset(); }
    std::uint64_t limit(const learnt_limit& l) override { return encoder_->limit(l), encoder_->offset(); }

    [[nodiscard]] bool gathers() const override { return !writing_now_ && !encoder_->empty(); }
    bool begin_sync() override {
        if (!gathers()) return false;
        sync_position_ = encoder_->offset();
        writing_ = encoder_->take();
        return writing_now_ = true;
    }
    std::uint64_t end_sync() override {
        durable_ += writing_;
        writing_.clear();
        writing_now_ = false;
        return sync_position_;
    }
    void sync_now() override {
        if (writing_now_) end_sync();
        if (begin_sync()) end_sync();
    }

  private:
    journal_decoder::step read(
        journal_decoder& d, journal_replay& replay,
        const std::function<void(const journal_record&)>& each = [](const journal_record&) {}) const {
        d.feed(durable_);
        d.finish();
        journal_record record;
        journal_decoder::step s{};
        while ((s = d.next(record)) == journal_decoder::step::record) {
            if (!replay.add(record)) throw std::logic_error("a record that does not fit");
            each(record);
        }
        return s;
    }

    journal_header header_;
    std::unique_ptr<journal_encoder> encoder_;
    std::string durable_, writing_;
    std::uint64_t sync_position_ = 0;
    bool writing_now_ = false;
};

}  // namespace muster::test
