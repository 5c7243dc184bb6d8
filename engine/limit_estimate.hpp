// What refusals tell about the service's limit.
//
// A refusal tells one thing for certain: at that moment nothing was left. What was let through between two
// such moments, by the time between them, is therefore the limit's rate, whatever its kind (token bucket,
// cell rate, sliding or fixed window). Where nothing was sent for a while in between, more may have come
// together than the limit keeps (its burst): then the least rate is looked for with which a bucket of that
// burst explains what was let through. The burst itself is the one with which several such stretches tell the
// same rate. Where the service tells how long to wait, a bucket is looked for that explains them all: see
// bucket_fit.
#pragma once

#include "engine/bucket_fit.hpp"
#include "engine/learnt_limit.hpp"
#include "engine/outcome.hpp"

#include <cstdint>
#include <deque>
#include <vector>

namespace muster {

/// A request that left: its place in the order of all, and when.
struct departure {
    std::uint64_t number = 0;
    instant at{};
    double waited = 0;  ///< seconds that the run had spent waiting for the limit by then
};

class limit_estimate {
  public:
    limit_estimate() = default;
    /// Of an earlier run; it may have changed since.
    explicit limit_estimate(const learnt_limit& remembered);

    /// A request leaves; in the order of departure.
    void sent(const departure& d);
    /// One that left was refused, which is known from `now` on. `fresh`: it left when the refusals before
    /// were known. `jitter`: seconds by which requests are differently long under way. `most_likely`: a rate
    /// for want of a better one, for the first refusal. `told`: seconds that the service asks to wait; 0: it
    /// does not say.
    void refused(const departure& d, bool fresh, instant now, double jitter, double most_likely,
                 double told = 0);
    /// Likewise, of one that seems to have had another reason. It counts once count_noted() is called before
    /// the next that had not.
    void note_refusal(const departure& d, instant now);
    void count_noted();
    /// What was seen says nothing of what comes: the limit was not used up for a while. The rate stays.
    void forget_refusals() {
        marks_.clear();
        noted_.clear();
        since_full_ = false;
    }
    /// What was taken for the limit was something else: only the rate stays, as a guess.
    void start_anew();
    /// No more than this came together after a pause.
    void burst_at_most(double requests);
    /// For want of a better one.
    void assume_rate(double rate);

    /// How many a second left lately: of the requests before this one that are remembered and not known to be
    /// refused, the later half. 0: they are too few.
    [[nodiscard]] double late_pace(const departure& before) const noexcept;
    /// Requests a second, and at once after a pause.
    [[nodiscard]] double rate() const noexcept { return rate_; }
    [[nodiscard]] double burst() const noexcept { return burst_; }
    /// The rate as the time before the latest overrun shows it alone; 0: it shows nothing.
    [[nodiscard]] double latest_rate() const noexcept { return marks_.empty() ? 0 : marks_.back().rate; }
    /// By how much of it the rate may be wrong.
    [[nodiscard]] double uncertainty() const noexcept { return uncertainty_; }
    /// How many requests it rests on.
    [[nodiscard]] double weight() const noexcept { return weight_; }
    /// It rested on many once, or is one that an earlier run knew: that there is such a rate is proven, also
    /// while a change is learnt.
    [[nodiscard]] bool once_proven() const noexcept { return once_proven_; }
    /// When the latest of the refused requests left; nothing is known of them after forget_refusals().
    [[nodiscard]] bool has_refusal() const noexcept { return !marks_.empty(); }
    [[nodiscard]] instant last_refusal() const noexcept { return marks_.back().last.at; }
    /// Nothing was let through between the last refusal and the one before.
    [[nodiscard]] bool next_in_line() const noexcept { return next_in_line_; }

  private:
    /// Refusals that belong together: from the first of them to the last nothing was left. What is not
    /// answered yet counts as admitted.
    struct mark {
        departure first, last;
        instant known;        ///< when the first of them was
        double before_first;  ///< admitted of the requests sent before the first of them
        double before_last;
        double told = 0;    ///< seconds to wait, the longest of them
        double rate = 0;    ///< of the limit, as the time since the mark before shows
        double weight = 0;  ///< the number of requests that this rests on
    };

    struct note {
        departure refused;
        instant known;
    };

    void add_mark(const departure& d, bool fresh, instant now, double told = 0);
    void read_stretch(std::size_t i);
    [[nodiscard]] double admitted_before(std::size_t i) const noexcept;
    [[nodiscard]] bool still_known(std::size_t i) const noexcept;
    [[nodiscard]] double fitting_rate(std::size_t i, double lowest, double highest) const;
    [[nodiscard]] double first_burst(double rate) const noexcept;
    [[nodiscard]] double burst_for(double rate) const noexcept;
    void fit_burst();
    void fit_rate(double jitter);
    [[nodiscard]] std::vector<bucket_stretch> latest_stretches() const;
    bool fit_as_bucket(double jitter);

    double rate_ = 0;
    double burst_ = 0;
    double uncertainty_ = 0;
    double weight_ = 0;
    bool once_proven_ = false;
    double burst_doubt_ = 0;  ///< by how much the burst may be off, requests
    bool met_ = false;
    bool since_full_ = false;  ///< the first of the marks ended a time that began with a full bucket
    bool burst_fitted_ =
        false;                ///< to several stretches; before, it is what the first refusal leaves possible
    bool as_bucket_ = false;  ///< the latest stretches are explained by one
    bool next_in_line_ = false;
    bool new_stretch_ = false;            ///< ended with the latest refusal
    std::deque<mark> marks_;              ///< in the order of departure
    std::vector<note> noted_;             ///< since the latest of the marks
    std::deque<departure> admitted_;      ///< the latest, in the order of departure
    std::uint64_t first_remembered_ = 0;  ///< those with a lower number have left it
    std::vector<double> first_burst_;     ///< seconds before the first refusal of all requests sent till then
};

}  // namespace muster
