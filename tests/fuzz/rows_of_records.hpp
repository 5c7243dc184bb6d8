// From a reader's records on to requests: what every row that is accepted must be fit for.
#pragma once

#include "engine/exchange.hpp"
#include "engine/job.hpp"
#include "engine/text.hpp"
#include "tests/fuzz/target.hpp"

#include <simdjson.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace muster::fuzz {

inline bool is_json_object(std::string_view text) {
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    return parser.parse(text.data(), text.size()).get(object) == simdjson::SUCCESS;
}

inline bool fits_request_line(std::string_view target) {
    return target.starts_with('/') && std::ranges::all_of(target, [](char c) {
               return is_ascii_alphanumeric(c) || std::string_view("/-_.~%").find(c) != std::string_view::npos;
           });
}

/// Text that may be shown on one line of a terminal, and kept in files that are UTF-8.
inline void require_line(std::string_view text, std::size_t longest) {
    require(simdjson::validate_utf8(text), "a message is UTF-8");
    require(text.size() <= longest, "a message is short");
    require(std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7F'; }),
            "a message holds no control characters");
}

/// Maps one record, and asks of a good row that its requests are well-formed and that its own copy is equal to it.
inline void check_row(row_mapper& mapper, const record& from, std::uint64_t index) {
    row_view view;
    if (const auto problem = mapper.map(from, index, view)) {
        require(!problem->reason.empty(), "a problem is told");
        return;
    }
    const row copy(view);
    require(copy.view().fields == view.fields, "a row's copy holds the row");
    for (const http_request& request : {build_request(copy), build_lookup(copy)}) {
        require(is_json_object(request.body), "a request's body is a JSON object");
        require(fits_request_line(request.target), "a request's target needs no further escapes");
    }
}

}  // namespace muster::fuzz
