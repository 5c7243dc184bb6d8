// The handler holds its state weakly: a deadline that is destroyed leaves nothing behind but a handler that
// finds nobody. A timer that was moved or cancelled reports operation_aborted, which is not an expiry.
#include "io/deadline.hpp"

#include <utility>

namespace muster {

deadline::deadline(const boost::asio::any_io_executor& executor, std::function<void()> on_expiry)
    : state_(std::make_shared<state>(state{boost::asio::steady_timer(executor), std::move(on_expiry)})) {}

void deadline::set(clock::time_point due) {
    state_->due = due;
    state_->expired = false;
    if (!state_->armed || due < state_->timer.expiry()) watch(state_);
}

void deadline::clear() noexcept {
    state_->due = clock::time_point::max();
    state_->expired = false;
}

void deadline::stop() {
    clear();
    state_->armed = false;
    state_->timer.cancel();
}

void deadline::watch(const std::shared_ptr<state>& watched) {
    watched->timer.expires_at(watched->due);
    watched->armed = true;
    watched->timer.async_wait(
        [weak = std::weak_ptr<state>(watched)](const boost::system::error_code& failure) {
            const std::shared_ptr<state> self = weak.lock();
            if (failure || !self || !self->armed) return;
            self->armed = false;
            if (self->due == clock::time_point::max()) return;
            if (clock::now() < self->due) return watch(self);
            self->expired = true;
            self->due = clock::time_point::max();
            self->on_expiry();
        });
}

}  // namespace muster
