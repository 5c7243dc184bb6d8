// What people hand in instead of a UTF-8 text file, told by its first bytes, and what they can do about it.
// Both readers ask this once, at the first record; that a later record is no text is that record's problem.
#pragma once

#include <string_view>

namespace muster {

/// Whether a file that begins like this is surely no text in UTF-8.
inline bool is_binary(std::string_view start) {
    return start.find('\0') != std::string_view::npos || start.starts_with("\xFF\xFE") ||
           start.starts_with("\xFE\xFF") || start.starts_with("PK\x03\x04") ||
           start.starts_with("\xD0\xCF\x11\xE0");
}

/// A sentence for the user: what such a file probably is and what to do.
inline std::string_view why_not_text(std::string_view start) {
    if (start.starts_with("\xFF\xFE") || start.starts_with("\xFE\xFF")) {
        return "the file is UTF-16 text; save it as UTF-8 (in Excel: \"CSV UTF-8\")";
    }
    if (start.starts_with("PK\x03\x04") || start.starts_with("\xD0\xCF\x11\xE0")) {
        return "the file is a workbook or an archive; save the sheet as \"CSV UTF-8\"";
    }
    if (is_binary(start)) return "the file is not text: it holds NUL bytes";
    return "the text is not UTF-8; save the file as UTF-8 (in Excel: \"CSV UTF-8\")";
}

}  // namespace muster
