// How many connections fit under the limit of open files (ulimit -n), so that none fails for want of a
// descriptor in the midst of a run.
#pragma once

#include "engine/error.hpp"

namespace muster {

/// At most `wanted`. Raises the soft limit as far as that needs and the hard one allows. Fails (usage) when
/// there is no room for even one connection.
result<unsigned> room_for_connections(unsigned wanted);

}  // namespace muster
