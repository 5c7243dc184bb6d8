// The DOM parser reads the whole body, so that damage after the last field of interest is found too.
#include "samples/tenant/request_body.hpp"

#include <simdjson.h>

#include <array>

namespace tenant {
namespace {

struct KnownField {
    std::string_view name;
    std::optional<std::string> Fields::*member;
};

constexpr std::array known_fields{
    KnownField{"tokenSerialNumber", &Fields::token_serial},
    KnownField{"deviceSerialNumber", &Fields::device_serial},
    KnownField{"userId", &Fields::user_id},
    KnownField{"tokenName", &Fields::token_name},
    KnownField{"updatedName", &Fields::updated_name},
    KnownField{"email", &Fields::email},
    KnownField{"username", &Fields::username},
};

const KnownField* known(std::string_view name) {
    for (const auto& field : known_fields) {
        if (field.name == name) return &field;
    }
    return nullptr;
}

}  // namespace

boost::system::result<Fields, MalformedBody> read_fields(std::string_view body) {
    thread_local simdjson::dom::parser parser;
    if (body.empty()) return MalformedBody{"The request has no body; a JSON object is expected."};
    simdjson::dom::element root;
    if (const auto error = parser.parse(body.data(), body.size()).get(root); error != simdjson::SUCCESS) {
        return MalformedBody{"The request body is not valid JSON."};
    }
    simdjson::dom::object object;
    if (root.get(object) != simdjson::SUCCESS) {
        return MalformedBody{"The request body must be a JSON object."};
    }
    Fields fields;
    for (const auto& [name, value] : object) {
        const auto* field = known(name);
        if (field == nullptr) continue;
        std::string_view text;
        if (value.get(text) == simdjson::SUCCESS) {
            fields.*field->member = std::string(text);
        } else if (!value.is_null()) {
            return MalformedBody{"The field " + std::string(name) + " must be a string."};
        }
    }
    return fields;
}

}  // namespace tenant
