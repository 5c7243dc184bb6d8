// How expected failures travel: a code to decide by and a sentence for the person who reads it.
// The sentence is written once, where file, line and field are known. Broken invariants throw instead.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

#include <string>
#include <utility>

namespace muster {

/// What went wrong, as far as the caller decides by it (the exit code, stop or go on).
enum class errc {
    usage = 1,         ///< a flag or an argument is wrong
    bad_job,           ///< the job file is missing, unreadable or breaks a rule
    bad_credentials,   ///< the key file is missing or broken
    journal_exists,    ///< `run` found a journal at its place
    journal_missing,   ///< there is no such journal
    journal_busy,      ///< another process holds the journal
    journal_damaged,   ///< a record is broken and it is not the torn tail of a crash
    job_changed,       ///< the job file is not the one that the journal belongs to
    not_authorised,    ///< the service refuses the key
    untrusted_server,  ///< the server's certificate is expired, for another host, or from an unknown CA
    unreachable,       ///< no connection to the service: name, network or TLS failure
    storage            ///< the disk is full, a file cannot be written or synced
};

const boost::system::error_category& muster_category() noexcept;

inline boost::system::error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), muster_category()};
}

/// A failure that the user is told: `message` is a whole sentence and never holds a secret.
struct error {
    boost::system::error_code code;
    std::string message;

    error() = default;  // boost::system::result asks for it
    error(errc e, std::string text) : code(make_error_code(e)), message(std::move(text)) {}
    [[nodiscard]] bool is(errc e) const noexcept { return code == make_error_code(e); }
};

[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

template <typename T>
using result = boost::system::result<T, error>;

}  // namespace muster

template <>
struct boost::system::is_error_code_enum<muster::errc> : std::true_type {};
