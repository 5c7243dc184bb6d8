// What is known of the service's limit; kept in the journal, so that a resumed run need not learn it again.
#pragma once

#include <cstdint>

namespace muster {

struct learnt_limit {
    double rate = 0;            ///< requests a second in the long run; 0: no such limit was met
    double burst = 0;           ///< requests at once after a pause
    double cycle = 0;           ///< seconds after which a used-up window opens again; 0: none was met
    std::uint64_t company = 0;  ///< requests in flight at once; 0: no such limit was met
};

}  // namespace muster
