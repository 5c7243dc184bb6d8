// Whether a connection may serve a second request. Some services close after every reply without saying so:
// a request that leaves at that moment is lost, and after every such pair of reply and loss a row has one
// attempt less.
#pragma once

namespace muster {

class connection_reuse {
  public:
    /// A reply came; `reused`: not the first one on its connection.
    void answered(bool reused) noexcept {
        if (reused) lost_ = 0;
        if (apart_ > 0) --apart_;
    }
    /// The connection broke before the reply.
    void broke(bool reused) noexcept {
        if (!reused || ++lost_ < enough) return;
        lost_ = 0;
        apart_ = until_next_try;
    }
    [[nodiscard]] bool allowed() const noexcept { return apart_ == 0; }

  private:
    static constexpr unsigned enough = 2;
    static constexpr unsigned until_next_try =
        100;  // replies; a service that was restarted only is well again

    unsigned lost_ = 0;   // in a row
    unsigned apart_ = 0;  // replies to come that end their connection
};

}  // namespace muster
