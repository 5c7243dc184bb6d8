// The tenant without its sockets and its database: what becomes of one request.
//
// A request passes two gates. `admit` judges who asks and whether the quota and the dice let the request
// through, at its arrival; `handle` meets the operation's rule, after whatever delay the dice imposed.
// Between them lies time, which is the server's to spend. Faults and refusals of `admit` change nothing and
// leave no audit row; every mutation that reaches its rule leaves one, whatever the rule says.
#pragma once

#include "samples/tenant/faults.hpp"
#include "samples/tenant/jwt.hpp"
#include "samples/tenant/quota.hpp"
#include "samples/tenant/tenant_state.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tenant {

/// The parts of an HTTP request that matter here; the views live as long as the caller's message.
struct Request {
    std::string_view method;
    std::string_view target;
    std::string_view authorization;
    std::string_view content_type;
    std::string_view body;
};

/// The first gate's decision.
struct Admission {
    std::optional<Reply> refused;  ///< answer this and do nothing else
    const Admin* admin = nullptr;
    FaultPlan fault;
    std::string headers;  ///< for the reply, whatever it will be
    Quota::Pass pass;     ///< keep until the reply is on its way
};

/// The second gate's: the reply, to be sent once `write`, and all writes before it, are committed.
struct Outcome {
    Reply reply;
    std::optional<Write> write;
};

class Service {
  public:
    struct Options {
        std::vector<LimitSpec> limits;
        std::vector<FaultSpec> faults;
        std::uint64_t seed = 1;
    };

    /// Throws std::invalid_argument when the snapshot holds a key that is none.
    Service(Snapshot snapshot, const Options& options);

    /// Authenticates the request and puts it to the quota and the dice.
    [[nodiscard]] Admission admit(const Request& request, Now now);

    /// Finds the route and applies its rule.
    [[nodiscard]] Outcome handle(const Request& request, const Admin& admin, Wall now);

  private:
    JwtVerifier verifier_;
    Quota quota_;
    FaultDice dice_;
    TenantState state_;
};

/// The replies of faults that answer at all.
[[nodiscard]] Reply internal_error();
[[nodiscard]] Reply garbage(std::uint64_t variety);

}  // namespace tenant
