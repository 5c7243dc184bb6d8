#include "engine/operation.hpp"

#include "engine/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace muster {
namespace {

constexpr std::array<std::string_view, field_count> field_names{"userId", "tokenSerialNumber", "tokenName",
                                                                "deviceSerialNumber"};

// Seeds 001 (assign), 000 and 003 (enable), 002 (disable), 004 (DS100). The look-ups: api.md, section 5.
constexpr lookup_call token_lookup{"POST", "/v1/sidTokens/lookup", field::token_serial, false};
constexpr lookup_call device_lookup{"POST", "/v1/ds100/lookup", field::device_serial, true};

constexpr std::array assign_parameters{parameter{field::user_id, true, true},
                                       parameter{field::token_serial, true, false},
                                       parameter{field::token_name, false, false}};
constexpr std::array status_parameters{parameter{field::user_id, true, true},
                                       parameter{field::token_serial, true, false}};
constexpr std::array device_parameters{parameter{field::device_serial, true, false},
                                       parameter{field::user_id, true, false}};

constexpr std::array<std::string_view, 2> assigned_states{"Activation Pending", "Activated"};
constexpr std::array<std::string_view, 1> enabled_states{"Enabled"};
constexpr std::array<std::string_view, 1> disabled_states{"Disabled"};

constexpr std::array<operation, operation_count> table{{
    {.id = operation_id::assign,
     .name = "assign",
     .method = "PATCH",
     .path = "/v1/users/{}/sidTokens/assign",
     .parameters = assign_parameters,
     .subject = field::token_serial,
     .idempotent = false,
     .answers_array = false,
     .state_member = "tokenState",
     .wanted_states = assigned_states,
     .changed_at_member = "assignedAt",
     .changed_by_member = "assignedBy",
     .lookup = &token_lookup},
    {.id = operation_id::enable,
     .name = "enable",
     .method = "PATCH",
     .path = "/v1/users/{}/sidTokens/enable",
     .parameters = status_parameters,
     .subject = field::token_serial,
     .idempotent = true,
     .answers_array = false,
     .state_member = "tokenStatus",
     .wanted_states = enabled_states,
     .changed_at_member = "tokenStatusChangedAt",
     .changed_by_member = "tokenStatusChangedBy",
     .lookup = &token_lookup},
    {.id = operation_id::disable,
     .name = "disable",
     .method = "PATCH",
     .path = "/v1/users/{}/sidTokens/disable",
     .parameters = status_parameters,
     .subject = field::token_serial,
     .idempotent = true,
     .answers_array = false,
     .state_member = "tokenStatus",
     .wanted_states = disabled_states,
     .changed_at_member = "tokenStatusChangedAt",
     .changed_by_member = "tokenStatusChangedBy",
     .lookup = &token_lookup},
    {.id = operation_id::enable_ds100,
     .name = "enable-ds100",
     .method = "PATCH",
     .path = "/v1/ds100/enable/otp",
     .parameters = device_parameters,
     .subject = field::device_serial,
     .idempotent = true,
     .answers_array = true,
     .state_member = "tokenStatus",
     .wanted_states = enabled_states,
     .changed_at_member = "tokenStatusChangedAt",
     .changed_by_member = "tokenStatusChangedBy",
     .lookup = &device_lookup},
}};

constexpr std::size_t longest_serial = 36;

// Written without branches and for a fixed length, so that the compiler makes a few vector instructions of
// it: every row of a job is checked by this.
bool is_uuid(std::string_view value) {
    static constexpr std::string_view form = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    constexpr std::size_t even = 32;
    static constexpr auto wants_dash = [] {
        std::array<unsigned char, even> wants{};
        for (std::size_t i = 0; i < even; ++i) wants[i] = form[i] == '-' ? 1 : 0;
        return wants;
    }();
    if (value.size() != form.size()) return false;
    const char* const text = value.data();
    unsigned char wrong = 0;
    for (std::size_t i = 0; i < even; ++i) {
        const auto digit = static_cast<unsigned char>(text[i] - '0');
        const auto letter = static_cast<unsigned char>((text[i] | 0x20) - 'a');
        const auto dash = static_cast<unsigned char>(text[i] ^ '-');
        const auto no_hex = static_cast<unsigned char>((digit > 9) & (letter > 5));
        wrong = static_cast<unsigned char>(wrong | (wants_dash[i] != 0 ? dash != 0 : no_hex));
    }
    return wrong == 0 && is_hex_digit(text[32]) && is_hex_digit(text[33]) && is_hex_digit(text[34]) &&
           is_hex_digit(text[35]);
}

constexpr bool may_be_in_serial(char c) {
    return is_ascii_alphanumeric(c) || c == '-' || c == '_';
}

bool is_serial(std::string_view value) {
    static constexpr auto allowed = [] {
        std::array<bool, 256> may{};
        for (std::size_t i = 0; i < may.size(); ++i) may[i] = may_be_in_serial(static_cast<char>(i));
        return may;
    }();
    bool all = value.size() <= longest_serial;
    for (const char c : value) all = all & allowed[static_cast<unsigned char>(c)];
    return all;
}

std::optional<std::string> check_uuid(std::string_view value) {
    if (is_uuid(value)) return std::nullopt;
    return "is not a UUID (such as eb2e12ae-1112-451b-98e1-dfe4e6afd60d)";
}

std::optional<std::string> check_serial(std::string_view value) {
    if (is_serial(value)) return std::nullopt;
    if (character_count(value) > longest_serial) return "is longer than 36 characters";
    const char wrong = *std::ranges::find_if_not(value, may_be_in_serial);
    if (wrong == '+' || wrong == '.')
        return "is not a serial number (did a spreadsheet turn it into a number? format the column as text)";
    return fmt::format("holds {}, which no serial number has", describe_character(value, wrong));
}

std::optional<std::string> check_name(std::string_view value) {
    if (value.find('\0') != std::string_view::npos) return "holds a NUL character";
    if (character_count(value) > 255) return "is longer than 255 characters";
    return std::nullopt;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) noexcept {
    std::string_view best;
    std::size_t best_distance = 3;
    for (const auto candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace

std::string_view name_of(field f) noexcept {
    return field_names[static_cast<std::size_t>(f)];
}

const operation& operation_of(operation_id id) noexcept {
    return table[static_cast<std::size_t>(id)];
}

std::span<const operation> operations() noexcept {
    return table;
}

const operation* find_operation(std::string_view name) noexcept {
    for (const operation& candidate : table)
        if (candidate.name == name) return &candidate;
    for (const operation& candidate : table)
        if (equal_ignoring_case(candidate.name, name)) return &candidate;
    return nullptr;
}

std::optional<std::string> check_field(field f, std::string_view value) {
    switch (f) {
        case field::user_id: return check_uuid(value);
        case field::token_serial:
        case field::device_serial: return check_serial(value);
        case field::token_name: return check_name(value);
    }
    return std::nullopt;
}

std::string_view nearest_operation(std::string_view word) noexcept {
    std::array<std::string_view, operation_count> names;
    std::ranges::transform(table, names.begin(), &operation::name);
    return nearest(word, names);
}

}  // namespace muster
