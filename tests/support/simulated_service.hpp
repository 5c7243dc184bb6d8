// The service as a simulation: it knows tokens, and counts what was really applied.
#pragma once

#include "engine/exchange.hpp"
#include "tests/support/rows.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace muster::test {

/// Tokens and who has them; counts how often each row changed something.
class simulated_service {
  public:
    struct token {
        std::string user;
        bool enabled = false;
        int assigned_times = 0;
        int enabled_times = 0;
    };
    std::map<std::string, token> tokens;
    unsigned requests = 0;

    http_reply handle(const row& r, bool lookup) {
        const std::string serial(r.subject());
        const std::string user(r.get(field::user_id));
        const auto found = tokens.find(serial);
        if (found == tokens.end()) return {404, R"({"code":"NOT_FOUND","message":"no such token"})", {}};
        token& t = found->second;
        if (lookup) return {200, lookup_body(serial, t), {}};
        switch (r.operation()) {
            case operation_id::assign:
                if (!t.user.empty()) return {409, R"({"code":"ASSIGNED","message":"already assigned"})", {}};
                t.user = user;
                ++t.assigned_times;
                return {200, token_reply(serial, user, "tokenState", "Activated"), {}};
            case operation_id::enable:
            case operation_id::disable: {
                if (t.user != user)
                    return {409, R"({"code":"NOT_ASSIGNED","message":"not assigned to that user"})", {}};
                const bool want = r.operation() == operation_id::enable;
                if (t.enabled != want) ++t.enabled_times;
                t.enabled = want;
                return {200, token_reply(serial, user, "tokenStatus", want ? "Enabled" : "Disabled"), {}};
            }
            case operation_id::enable_ds100: break;
        }
        return {400, "{}", {}};
    }

    /// Each token was assigned once, enabled once, and is so still.
    [[nodiscard]] bool each_changed_once() const {
        return std::ranges::all_of(tokens, [](const auto& named) {
            const token& t = named.second;
            return t.assigned_times == 1 && t.enabled_times == 1 && t.enabled;
        });
    }

  private:
    static std::string lookup_body(const std::string& serial, const token& t) {
        return R"({"tokenSerialNumber":")" + serial + R"(","userId":)" +
               (t.user.empty() ? "null" : "\"" + t.user + "\"") + R"(,"tokenState":")" +
               (t.user.empty() ? "Unassigned" : "Activated") + R"(","tokenStatus":")" +
               (t.enabled ? "Enabled" : "Disabled") + "\"}";
    }
};

// ---- the job that most tests run

/// Assign and enable for each of `tokens` tokens, either token by token or all assigns first.
inline std::vector<owned_row> onboarding(std::size_t tokens, bool interleaved) {
    std::vector<owned_row> rows;
    for (int pass = 0; pass < (interleaved ? 1 : 2); ++pass)
        for (std::size_t i = 0; i < tokens; ++i) {
            const auto serial = fmt::format("{:012}", i);
            const auto& user = i % 2 == 0 ? user_a : user_b;
            if (interleaved || pass == 0) rows.emplace_back(rows.size(), operation_id::assign, serial, user);
            if (interleaved || pass == 1) rows.emplace_back(rows.size(), operation_id::enable, serial, user);
        }
    return rows;
}

/// Knows the job's tokens; nobody has any.
inline simulated_service service_for(const std::vector<owned_row>& rows) {
    simulated_service s;
    for (const auto& r : rows) s.tokens[std::string(r.what.subject())];
    return s;
}

}  // namespace muster::test
