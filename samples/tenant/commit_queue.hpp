// Carries writes from the network's thread to the database's and tells when they are committed.
//
// Group commit: while one batch is being committed the next one gathers, so the cost of a transaction is
// shared by everyone who waits. Writes are committed in the order in which they were decided. On an idle
// database the batch is handed over at the end of the event loop's round rather than at once, or a single
// core would make every batch one write long.
#pragma once

#include "samples/tenant/store.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace tenant {

namespace net = boost::asio;

/// All of its functions are for the network's thread only.
class CommitQueue {
  public:
    /// Both must outlive the queue. A failing commit is rethrown out of the context's run().
    CommitQueue(net::io_context& context, Store& store);
    /// Joins the thread. Whoever needs a write committed has waited for it before.
    ~CommitQueue();
    CommitQueue(const CommitQueue&) = delete;
    CommitQueue& operator=(const CommitQueue&) = delete;

    /// Takes a write into the next batch.
    void submit(Write write);

    /// Whether everything submitted so far is committed.
    [[nodiscard]] bool settled() const { return committed_ == submitted_; }

    /// Completes, with no arguments, once everything submitted before this call is committed.
    template <typename CompletionToken>
    auto async_settled(CompletionToken&& token) {
        return net::async_initiate<CompletionToken, void()>(
            [this](auto handler) {
                auto shared = std::make_shared<decltype(handler)>(std::move(handler));
                waiting_.push_back({submitted_, [shared] { std::move (*shared)(); }});
            },
            token);
    }

  private:
    struct Waiter {
        std::uint64_t position;
        std::function<void()> resume;
    };

    void hand_over();
    void finished(std::uint64_t position, std::vector<Write> batch);
    void work();

    net::io_context& context_;
    Store& store_;
    std::vector<Write> gathering_;
    std::deque<Waiter> waiting_;
    std::uint64_t submitted_ = 0;  ///< how many writes were ever submitted, handed over, committed
    std::uint64_t handed_over_ = 0;
    std::uint64_t committed_ = 0;
    bool hand_over_posted_ = false;

    std::mutex mutex_;  ///< guards the rest, which the two threads share
    std::condition_variable wake_;
    std::vector<Write> batch_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace tenant
