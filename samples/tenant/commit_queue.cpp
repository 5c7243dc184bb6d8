// The queue's two sides. At most one batch is under way; `handed_over_ != committed_` says so.
#include "samples/tenant/commit_queue.hpp"

#include <boost/asio/post.hpp>

namespace tenant {

CommitQueue::CommitQueue(net::io_context& context, Store& store)
    : context_(context), store_(store), thread_([this] { work(); }) {}

CommitQueue::~CommitQueue() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void CommitQueue::submit(Write write) {
    gathering_.push_back(std::move(write));
    ++submitted_;
    if (handed_over_ != committed_ || hand_over_posted_) return;
    hand_over_posted_ = true;
    net::post(context_, [this] {
        hand_over_posted_ = false;
        hand_over();
    });
}

void CommitQueue::hand_over() {
    if (gathering_.empty()) return;
    handed_over_ = submitted_;
    {
        const std::lock_guard lock(mutex_);
        batch_.swap(gathering_);
    }
    wake_.notify_one();
}

/// A batch comes back with the news: its memory is freed by the thread that allocated it, and gathers the
/// next one.
void CommitQueue::finished(std::uint64_t position, std::vector<Write> batch) {
    committed_ = position;
    hand_over();  // first, so that the database works while the replies are written
    batch.clear();
    if (gathering_.capacity() < batch.capacity()) gathering_.swap(batch);
    while (!waiting_.empty() && waiting_.front().position <= position) {
        const auto resume = std::move(waiting_.front().resume);
        waiting_.pop_front();
        resume();
    }
}

void CommitQueue::work() {
    std::uint64_t position = 0;
    std::vector<Write> batch;
    while (true) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !batch_.empty(); });
            if (batch_.empty()) return;
            batch.swap(batch_);
        }
        try {
            store_.commit(batch);
        } catch (...) {
            net::post(context_, [failure = std::current_exception()] { std::rethrow_exception(failure); });
            return;
        }
        position += batch.size();
        net::post(context_, [this, position, done = std::move(batch)]() mutable {
            finished(position, std::move(done));
        });
        batch = {};
    }
}

}  // namespace tenant
