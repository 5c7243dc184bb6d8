// The limits a service may set, in virtual time: what real gateways do, reduced to their rule. They know
// nothing of Muster, and Muster nothing of them but the replies.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace muster::sim {

/// Seconds of virtual time since the start of the simulation.
using seconds = double;

class limiter {
  public:
    virtual ~limiter() = default;
    /// A request arrives; true when it is let through.
    virtual bool admit(seconds now) = 0;
    /// A request that was let through is answered.
    virtual void leave(seconds /*now*/) {}
    /// How long until one would be let through, as a server that knows its own limit tells it.
    [[nodiscard]] virtual seconds wait(seconds now) const = 0;
    /// How many requests it would let through from 0 to `end`, asked as often as one likes.
    [[nodiscard]] virtual double allowance(seconds end) const = 0;
};

/// `burst` requests at once, refilled at `rate` a second (nginx limit_req nodelay, most API gateways).
class token_bucket final : public limiter {
  public:
    token_bucket(double rate, double burst) : rate_(rate), burst_(burst), tokens_(burst) {}
    bool admit(seconds now) override {
        refill(now);
        if (tokens_ < 1) return false;
        tokens_ -= 1;
        return true;
    }
    [[nodiscard]] seconds wait(seconds now) const override {
        const double tokens = std::min(burst_, tokens_ + (now - at_) * rate_);
        return tokens >= 1 ? 0 : (1 - tokens) / rate_;
    }
    [[nodiscard]] double allowance(seconds end) const override { return burst_ + rate_ * end; }
    void set_rate(seconds now, double rate) {
        refill(now);
        rate_ = rate;
    }

  private:
    void refill(seconds now) {
        tokens_ = std::min(burst_, tokens_ + (now - at_) * rate_);
        at_ = now;
    }
    double rate_, burst_, tokens_;
    seconds at_ = 0;
};

/// The generic cell rate algorithm: a theoretical arrival time and a tolerance; requests that come too early
/// are refused.
class cell_rate final : public limiter {
  public:
    cell_rate(double rate, double tolerance) : interval_(1 / rate), tolerance_(tolerance / rate) {}
    bool admit(seconds now) override {
        if (now + tolerance_ < due_) return false;
        due_ = std::max(due_, now) + interval_;
        return true;
    }
    [[nodiscard]] seconds wait(seconds now) const override { return std::max(0.0, due_ - tolerance_ - now); }
    [[nodiscard]] double allowance(seconds end) const override { return 1 + (tolerance_ + end) / interval_; }

  private:
    double interval_, tolerance_;
    seconds due_ = 0;
};

/// `count` in each window of `length`, aligned to a clock that is `phase` ahead of ours.
class fixed_window final : public limiter {
  public:
    fixed_window(double count, seconds length, seconds phase)
        : count_(count), length_(length), phase_(phase) {}
    bool admit(seconds now) override {
        const double window = std::floor((now + phase_) / length_);
        if (window != window_) {
            window_ = window;
            used_ = 0;
        }
        if (used_ >= count_) return false;
        used_ += 1;
        return true;
    }
    [[nodiscard]] seconds wait(seconds now) const override {
        if (std::floor((now + phase_) / length_) != window_ || used_ < count_) return 0;
        return (window_ + 1) * length_ - phase_ - now;
    }
    [[nodiscard]] double allowance(seconds end) const override { return count_ * end / length_; }

  private:
    double count_;
    seconds length_, phase_;
    double window_ = -1;
    double used_ = 0;
};

/// This window's count and the last one's in proportion (HAProxy's http_req_rate, Cloudflare). As HAProxy
/// does, what is refused counts too, and the first window begins with the first request.
class sliding_counter final : public limiter {
  public:
    sliding_counter(double count, seconds length) : count_(count), length_(length) {}
    bool admit(seconds now) override {
        turn(now);
        current_ += 1;
        return estimate(now) <= count_;
    }
    [[nodiscard]] seconds wait(seconds now) const override {
        return std::max(0.0, start_ + (window_ + 1) * length_ - now);
    }
    [[nodiscard]] double allowance(seconds end) const override { return count_ * end / length_; }

  private:
    void turn(seconds now) {
        if (window_ < 0) start_ = now;
        const double window = std::floor((now - start_) / length_);
        if (window == window_) return;
        last_ = window == window_ + 1 ? current_ : 0;
        current_ = 0;
        window_ = window;
    }
    [[nodiscard]] double estimate(seconds now) const {
        const double into = (now - start_) / length_ - window_;
        return current_ + last_ * (1 - into);
    }
    double count_;
    seconds length_, start_ = 0;
    double window_ = -1, current_ = 0, last_ = 0;
};

/// No more than `count` in any span of `length`.
class sliding_log final : public limiter {
  public:
    sliding_log(std::size_t count, seconds length) : count_(count), length_(length) {}
    bool admit(seconds now) override {
        while (!taken_.empty() && taken_.front() + length_ <= now) taken_.pop_front();
        if (taken_.size() >= count_) return false;
        taken_.push_back(now);
        return true;
    }
    [[nodiscard]] seconds wait(seconds now) const override {
        return taken_.size() < count_ ? 0 : std::max(0.0, taken_.front() + length_ - now);
    }
    [[nodiscard]] double allowance(seconds end) const override {
        return static_cast<double>(count_) * end / length_;
    }

  private:
    std::size_t count_;
    seconds length_;
    std::deque<seconds> taken_;
};

/// So many at once. `service` is how long one takes, for the allowance alone.
class concurrency_cap final : public limiter {
  public:
    concurrency_cap(unsigned count, seconds service) : count_(count), service_(service) {}
    bool admit(seconds) override {
        if (running_ >= count_) return false;
        ++running_;
        return true;
    }
    void leave(seconds) override { --running_; }
    [[nodiscard]] seconds wait(seconds) const override { return running_ < count_ ? 0 : 1; }
    [[nodiscard]] double allowance(seconds end) const override { return count_ * end / service_; }

  private:
    unsigned count_;
    seconds service_;
    unsigned running_ = 0;
};

/// Two limits at once; the tighter one decides. What one refuses the other may have counted, as in real
/// gateways.
class both final : public limiter {
  public:
    both(std::unique_ptr<limiter> a, std::unique_ptr<limiter> b) : a_(std::move(a)), b_(std::move(b)) {}
    bool admit(seconds now) override { return a_->admit(now) && b_->admit(now); }
    void leave(seconds now) override {
        a_->leave(now);
        b_->leave(now);
    }
    [[nodiscard]] seconds wait(seconds now) const override { return std::max(a_->wait(now), b_->wait(now)); }
    [[nodiscard]] double allowance(seconds end) const override {
        return std::min(a_->allowance(end), b_->allowance(end));
    }

  private:
    std::unique_ptr<limiter> a_, b_;
};

}  // namespace muster::sim
