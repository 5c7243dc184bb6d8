// The wire side of the operation table: builds a row's request, reads the service's reply to it, and reads
// what a look-up says about a row's token or device. A reply counts only if it is what the seeds promise and
// names the row's own token and user: everything else is said to be wrong, never taken for success.
#pragma once

#include "engine/http.hpp"
#include "engine/job.hpp"
#include "engine/operation.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace muster {

/// What the service told about a change it made, as it wrote it.
struct service_details {
    std::string state;         ///< tokenState or tokenStatus
    std::string changed_at;    ///< ISO 8601
    std::string changed_by;    ///< the administrator
    std::string token_serial;  ///< of a DS100's OTP credential
    friend bool operator==(const service_details&, const service_details&) = default;
};

/// How a 200 reply to an operation reads.
struct reply_reading {
    bool confirmed = false;
    bool anothers = false;  ///< it names another token, device or user: it answers another request
    std::string problem;    ///< why it does not confirm: "names another user"
    service_details details;
};

/// What a look-up says about a row.
enum class actual_state : std::uint8_t {
    as_wanted,    ///< what the row wants is so
    not_applied,  ///< it is not so, and the operation may still bring it about
    conflicting,  ///< it is not so and cannot be: the token is assigned to another user
    unreadable    ///< the reply is not what the API promises
};
struct lookup_reading {
    actual_state state = actual_state::unreadable;
    bool anothers = false;  ///< it answers for another token or device
    std::string note;       ///< for the report: what is there instead, or what differs
    service_details details;
};

/// The request of a valid row. `reuse` is a request that is done with: its memory is used again.
http_request build_request(const row& r, http_request reuse = {});
/// The request that asks what became of a row's token or device.
http_request build_lookup(const row& r);

/// Reads reply bodies. Holds the parser's buffers, so one is kept for a run; not for several threads.
class reply_reader {
  public:
    reply_reading read_reply(const row& r, std::string_view body);
    lookup_reading read_lookup(const row& r, std::string_view body);

    /// The service's own words in an error reply ("TOKEN_EXPIRED: Token … has expired"), made fit for one
    /// line; of a body that is not JSON its beginning. Empty for an empty body.
    std::string read_error(std::string_view body);

    reply_reader();
    ~reply_reader();

  private:
    struct parser;
    std::unique_ptr<parser> parser_;
};

}  // namespace muster
