// Writes CSV as the reader reads it (RFC 4180, lines ended by LF): what a report writes, `run` takes back as
// a job file, byte for byte. Quotes are written only where they are needed.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace muster {

/// Appends one field, quoted where its text needs it: a comma, quote, CR or LF in it, a space or tab at
/// either end (programs drop it), a byte order mark at its start (it could come to stand first in a file).
void append_csv_field(std::string& out, std::string_view text);

/// Appends a record and its line break. A record of one empty field is written as "", since a blank line is
/// none.
void append_csv_record(std::string& out, std::span<const std::string_view> fields);

}  // namespace muster
