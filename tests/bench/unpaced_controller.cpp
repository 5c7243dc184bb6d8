// The rate controller bypassed: every request may leave at once, and nothing is learnt. Linked into
// muster-unpaced before the engine's own, to see what that one costs where nothing limits the rate.
#include "engine/rate_controller.hpp"

#include <limits>

namespace muster {

rate_controller::rate_controller(const options& o, const std::optional<learnt_limit>&) : options_(o) {}
instant rate_controller::next_permit() const noexcept {
    return {};
}
std::size_t rate_controller::most_in_flight() const noexcept {
    return std::numeric_limits<std::size_t>::max();
}
departure rate_controller::sent(instant now) {
    return {.number = ++sent_, .at = now};
}
void rate_controller::accepted(const departure&, instant) {}
void rate_controller::throttled(const departure&, instant, const limit_hint&, random_source&) {}
void rate_controller::pause(const departure&, instant, const limit_hint&, random_source&, bool) {}
std::optional<learnt_limit> rate_controller::learnt() const noexcept {
    return std::nullopt;
}
std::optional<double> rate_controller::used(instant) const noexcept {
    return std::nullopt;
}
bool rate_controller::binding(instant) const noexcept {
    return false;
}

}  // namespace muster
