// The rules of the service: what every operation requires of users, tokens and devices, and what it changes.
//
// Pure: a command and the time go in, a reply and at most one changed row come out; the state in memory has
// then changed already. It is the truth for decisions, and tenant.db follows in the same order, so a reply
// may be sent once the writes up to its own are committed. Where the specification names several conflicts
// the order of the checks is: form (400), user, token (404), conflict (409).
#pragma once

#include "samples/tenant/model.hpp"
#include "samples/tenant/reply.hpp"
#include "samples/tenant/request_body.hpp"
#include "samples/tenant/routes.hpp"
#include "samples/tenant/text.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tenant {

/// Limits of the specification, in characters.
inline constexpr std::size_t longest_token_serial = 36;
inline constexpr std::size_t longest_token_name = 255;
/// Active (assigned) SecurID 700 tokens a user may hold.
inline constexpr std::size_t most_tokens_per_user = 5;

/// One well-formed request: the operation, who asks (an accessID), and for whom and what.
struct Command {
    Operation operation = Operation::assign;
    std::string_view admin;
    std::string user_id;  ///< from the path; empty where the path has none
    Fields fields;
};

/// The answer to a command. `changed` says whether the state became another.
struct Verdict {
    Reply reply;
    Change change;
    [[nodiscard]] bool changed() const { return change.index() != 0; }
};

class TenantState {
  public:
    explicit TenantState(Snapshot snapshot);

    /// Applies the operation's rule. `now` becomes the timestamp of what changes.
    [[nodiscard]] Verdict apply(const Command& command, Wall now);

    /// Reads for tests and reports; null when unknown.
    [[nodiscard]] const Token* token(std::string_view serial) const;
    [[nodiscard]] const Device* device(std::string_view serial) const;

  private:
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    template <typename Value>
    using Table = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;
    struct UserEntry {
        User user;
        std::vector<std::string> tokens;   ///< serials of the tokens assigned to the user
        std::vector<std::string> devices;  ///< serials of the devices registered to the user
    };

    Verdict assign(const Command& command, Wall now);
    Verdict unassign(const Command& command, Wall now);
    Verdict set_token_status(const Command& command, Status wanted, Wall now);
    Verdict update_name(const Command& command);
    Verdict clear_pin(const Command& command);
    Verdict delete_token(const Command& command);
    Verdict lookup_token(const Command& command);
    Verdict set_device_status(const Command& command, Status wanted, Wall now);
    Verdict clear_device_pin(const Command& command);
    Verdict delete_device(const Command& command);
    Verdict lookup_device(const Command& command);
    Verdict lookup_user(const Command& command);
    Verdict list_devices(const Command& command);

    UserEntry* find_user(std::string_view user_id);

    Table<UserEntry> users_;
    Table<std::string> user_by_email_;
    Table<Token> tokens_;
    Table<Device> devices_;
};

}  // namespace tenant
