#include "io/block_survey.hpp"

#include "io/csv_cutter.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace muster {
namespace {

constexpr std::size_t max_blank = 4096;  // bytes before the header; they are read with each block

/// Up to the end of the first line that is not blank; 0 where there is none.
std::size_t header_size(std::string_view text) {
    const std::size_t name = text.find_first_not_of("\r\n");
    if (name == text.npos) return 0;
    return std::min(text.find('\n', name), text.size() - 1) + 1;
}

/// What the threads share: blocks that wait to be read, a few at a time.
class block_queue {
  public:
    explicit block_queue(std::size_t most) : most_(most) {}

    /// Waits for room; false when nobody reads any more.
    bool push(csv_cutter::block b) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return blocks_.size() < most_ || given_up_; });
        if (given_up_) return false;
        blocks_.push_back(std::move(b));
        changed_.notify_all();
        return true;
    }
    /// Waits for one; nothing when there will be none.
    std::optional<csv_cutter::block> pop() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !blocks_.empty() || closed_ || given_up_; });
        if (blocks_.empty() || given_up_) return std::nullopt;
        csv_cutter::block b = std::move(blocks_.front());
        blocks_.pop_front();
        changed_.notify_all();
        return b;
    }
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
    }
    void give_up() {
        const std::lock_guard lock(mutex_);
        given_up_ = true;
        changed_.notify_all();
    }
    [[nodiscard]] bool given_up() {
        const std::lock_guard lock(mutex_);
        return given_up_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<csv_cutter::block> blocks_;
    std::size_t most_;
    bool closed_ = false;
    bool given_up_ = false;
};

/// Where its scope is left early, nobody waits for the queue any more.
struct giving_up {
    block_queue& queue;
    ~giving_up() { queue.give_up(); }
};

/// One thread's part: what it was given, and the plan of it.
class block_reader {
  public:
    block_reader(block_queue& queue, std::string_view header, const row_mapper& mapper, std::size_t keep)
        : plan(keep),
          queue_(queue),
          header_size_(header.size()),
          header_lines_(static_cast<std::uint64_t>(std::ranges::count(header, '\n'))),
          mapper_(mapper) {}

    void work() {
        try {
            while (auto b = queue_.pop())
                if (!read(*b)) queue_.give_up();
        } catch (...) {
            queue_.give_up();
            throw;
        }
    }

    plan_builder plan;

  private:
    /// False where blocks may be cut in the middle of records: one of this block's breaks a rule of CSV's,
    /// and a quote may be why. Where the block has no quotes, only an earlier one can have put the cuts out
    /// of step, and its reader gives up.
    bool read(csv_cutter::block& b) {
        const bool no_quotes = b.text().find('"', header_size_) == std::string_view::npos;
        const auto reader = make_csv_reader_in_place(std::span(b.bytes), {});
        for (;;) {
            const auto got = reader->next(current_);
            if (!got || (current_.misshapen && !no_quotes)) return false;
            if (!*got) return true;
            current_.line += b.first_line - header_lines_ - 1;
            row_view r;
            if (const auto problem = mapper_.map(current_, 0, r))
                plan.add_invalid(current_.line, *problem);
            else
                plan.add(r);
        }
    }

    block_queue& queue_;
    std::size_t header_size_;  // each block begins with the header
    std::uint64_t header_lines_;
    row_mapper mapper_;
    record current_;
};

/// Threads; none outlives it.
class crew {
  public:
    crew() = default;
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;
    ~crew() { wait(); }

    /// False where there is no more thread to be had.
    bool start(std::function<void()> work) {
        try {
            threads_.emplace_back([this, work = std::move(work)] {
                try {
                    work();
                } catch (...) {
                    const std::lock_guard lock(mutex_);
                    thrown_ = std::current_exception();
                }
            });
        } catch (const std::system_error&) {
            return false;
        }
        return true;
    }
    /// Waits for all; throws what one of them threw.
    void join() {
        wait();
        if (thrown_) std::rethrow_exception(thrown_);
    }

  private:
    void wait() {
        for (auto& thread : threads_)
            if (thread.joinable()) thread.join();
    }

    std::mutex mutex_;
    std::exception_ptr thrown_;
    std::vector<std::thread> threads_;
};

/// plan_builder::finish() on this thread and others.
plan finish(std::span<plan_builder> plans, unsigned threads) {
    return plan_builder::finish(plans, [threads](std::size_t count, const auto& work) {
        std::atomic<std::size_t> next{0};
        const auto some = [&] {
            for (std::size_t i = next++; i < count; i = next++) work(i);
        };
        crew helpers;
        for (unsigned i = 1; i < threads; ++i) helpers.start(some);
        some();
        helpers.join();
    });
}

}  // namespace

std::optional<survey> survey_in_blocks(const job_file& job, const row_mapper& mapper, std::size_t keep,
                                       unsigned threads, std::size_t block_bytes) {
    const auto pass = job.start_pass(hashing::on);
    csv_cutter cutter(pass->bytes(), block_bytes);
    // The header's block, and blank ones before it: what is wrong in them its reader finds.
    auto next = cutter.next();
    std::string blank;
    for (; next && !next->text().empty() && header_size(next->text()) == 0; next = cutter.next()) {
        blank += next->text();
        if (blank.size() > max_blank) return std::nullopt;
    }
    if (!next || next->text().empty()) return std::nullopt;
    const std::string header = blank + std::string(next->text().substr(0, header_size(next->text())));
    next->bytes.insert(0, blank);
    next->first_line = 1 + static_cast<std::uint64_t>(std::ranges::count(header, '\n'));
    cutter.begin_each_with(header);

    std::string header_alone = header + std::string(record_buffer::padding, '\0');
    const auto header_reader = make_csv_reader_in_place(std::span(header_alone), {});
    record none;
    const auto read = header_reader->next(none);
    survey s{.of = {}, .identity = {}, .columns = header_reader->columns(), .suspicious = {}};
    const std::vector<std::string_view> names(s.columns.begin(), s.columns.end());
    if (!read || *read || !mapper.check_header(names)) return std::nullopt;
    s.suspicious = mapper.suspicious_columns(names);

    block_queue queue(threads + 1);
    std::deque<block_reader> readers;
    crew working;
    const giving_up on_exit{queue};
    for (unsigned i = 0; i < threads; ++i) {
        block_reader& reader = readers.emplace_back(queue, header, mapper, keep);
        if (!working.start([&reader] { reader.work(); }) && i == 0) return std::nullopt;
    }
    while (next && !next->text().empty() && queue.push(std::move(*next))) next = cutter.next();
    if (!next) queue.give_up();
    queue.close();
    working.join();
    if (queue.given_up()) return std::nullopt;
    std::vector<plan_builder> plans;
    for (auto& reader : readers) plans.push_back(std::move(reader.plan));
    s.of = finish(plans, threads);
    s.identity = pass->identity();
    return s;
}

}  // namespace muster
