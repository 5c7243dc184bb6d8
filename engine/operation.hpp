// The one table of operations: what each is called, how its request is made, how its reply is read, and what
// may be assumed of it. Everything else in Muster works from this table; a new operation is one entry here.
// Facts: the seed documents of the Cloud Administration API (assign, enable, disable, DS100 enable OTP).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace muster {

/// The fields of a row that Muster understands; all other columns travel along untouched.
enum class field : std::uint8_t { user_id, token_serial, token_name, device_serial };
inline constexpr std::size_t field_count = 4;

/// The field's name as the job file and the API write it (`tokenSerialNumber`).
std::string_view name_of(field f) noexcept;

enum class operation_id : std::uint8_t { assign, enable, disable, enable_ds100 };
inline constexpr std::size_t operation_count = 4;

/// One field of an operation's request.
struct parameter {
    field name;
    bool required;
    bool in_path;  ///< percent-encoded into the path; otherwise a member of the JSON body
};

/// How the service is asked what became of a token or device.
struct lookup_call {
    std::string_view method;
    std::string_view path;
    field key;  ///< the one member of the request's body
    bool answers_array;
};

struct operation {
    operation_id id;
    std::string_view name;    ///< Muster's word for it, as in the job file's `operation` column
    std::string_view method;  ///< HTTP method
    std::string_view path;    ///< below the API base; `{}` stands for the path parameter
    std::span<const parameter> parameters;
    field subject;       ///< the token or device: rows of one subject take effect in file order
    bool idempotent;     ///< sending it twice does no harm: it may be repeated without asking first
    bool answers_array;  ///< the 200 reply is an array of objects, not an object
    std::string_view state_member;                    ///< the member of the reply that says the new state
    std::span<const std::string_view> wanted_states;  ///< its values when the operation took effect
    std::string_view changed_at_member;
    std::string_view changed_by_member;
    const lookup_call* lookup;
};

const operation& operation_of(operation_id id) noexcept;
std::span<const operation> operations() noexcept;

/// The operation of that name, without regard to case; nullptr when there is none.
const operation* find_operation(std::string_view name) noexcept;

/// Why a value may not stand in a field, in words that follow the field's name ("is longer than 36
/// characters"); nothing when it may. Lengths are counted in Unicode characters. The value is valid UTF-8.
std::optional<std::string> check_field(field f, std::string_view value);

/// The name of the operation that `word` was probably meant to be; empty when none is near.
std::string_view nearest_operation(std::string_view word) noexcept;

}  // namespace muster
