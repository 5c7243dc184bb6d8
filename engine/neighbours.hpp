// Others who use the same limit, unseen.
//
// Nobody knows his part of such a limit. Refusals meet each in proportion to what he sends; cut by a share at
// each and growing by a share and a little more between them, all come to equal parts, as on a line that is
// shared by TCP.
#pragma once

namespace muster {

class neighbours {
  public:
    /// A refusal after a time without one.
    struct refusal {
        double accepted;    ///< requests let through in all by then
        double times_rate;  ///< how fast requests left, as a multiple of what was thought to be the rate
        bool telling;       ///< it was neither to be expected nor met in search of the limit
        bool unexplained;   ///< at that pace none should have come
        bool costly;        ///< it takes time
        double after_wait;  ///< seconds from the end of the last wait till it was sent
    };
    void refused(const refusal& r);
    /// Refusals that only others explain came of late.
    [[nodiscard]] bool present() const noexcept;
    /// At least one came, and was not taken back since.
    [[nodiscard]] bool suspected() const noexcept { return signs_ > 0; }
    /// By how much longer than usual the limit is not tried, as it is refused too often.
    [[nodiscard]] double patience() const noexcept { return patience_; }

    /// The pace after a refusal at `pace`, requests a second; `rate`: one's own part as learnt.
    [[nodiscard]] static double cut(double pace, double rate, bool costly) noexcept;
    /// What a pace of `base` has come to, `time` seconds after; `cost`: seconds lost by a refusal.
    [[nodiscard]] static double grown(double base, double time, double rate, double cost,
                                      bool costly) noexcept;

  private:
    double patience_ = 1;
    double accepted_before_ = 0;  ///< the latest refusal that told anything
    int signs_ = 0;               ///< of refusals that only others explain, in halves
};

}  // namespace muster
