// All limits of a tenant together: whether a request passes, and what its reply says about the quota.
//
// A request passes when every limit lets it, and only then does it count, in all of them. A refusal tells the
// longest wait among the limits that refuse, in the style of that limit.
#pragma once

#include "samples/tenant/limiter.hpp"
#include "samples/tenant/reply.hpp"
#include "samples/tenant/text.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tenant {

/// The two clocks a decision may need: the calendar's, and one that never steps.
struct Now {
    Wall wall;
    nanoseconds steady{0};
};

class Quota {
  public:
    explicit Quota(const std::vector<LimitSpec>& specs);

    /// A request's place in the quota; giving it up tells the concurrency limits that the request is over.
    class Pass {
      public:
        Pass() = default;
        explicit Pass(Quota* quota) : quota_(quota) {}
        Pass(Pass&& other) noexcept : quota_(std::exchange(other.quota_, nullptr)) {}
        Pass& operator=(Pass&& other) noexcept {
            std::swap(quota_, other.quota_);
            return *this;
        }
        ~Pass() {
            if (quota_ != nullptr) quota_->finish();
        }

      private:
        Quota* quota_ = nullptr;
    };

    struct Decision {
        std::optional<Reply> refused;  ///< the 429
        std::string headers;           ///< X-RateLimit lines for the reply to a request that passed
        Pass pass;
    };

    /// Asks for one request now. The quota must outlive the pass.
    [[nodiscard]] Decision admit(Now now);

  private:
    struct Entry {
        LimitSpec spec;
        std::unique_ptr<Limiter> limiter;
    };

    void finish();
    std::string quota_headers(Now now);

    std::vector<Entry> entries_;
};

}  // namespace tenant
