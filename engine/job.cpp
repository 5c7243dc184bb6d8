#include "engine/job.hpp"

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include "engine/text.hpp"

#include <xxhash.h>

#include <algorithm>

namespace muster {

row::row(const row_view& view) : index_(view.index), line_(view.line), operation_(view.operation) {
    std::size_t total = 0;
    for (const auto value : view.fields) total += value.size();
    text_.reserve(total);
    for (std::size_t i = 0; i < field_count; ++i) {
        text_.append(view.fields[i]);
        ends_[i + 1] = static_cast<std::uint32_t>(text_.size());
    }
}

std::string_view row::get(field f) const noexcept {
    const auto i = static_cast<std::size_t>(f);
    return std::string_view(text_).substr(ends_[i], ends_[i + 1] - ends_[i]);
}

row_view row::view() const noexcept {
    row_view v{.index = index_, .line = line_, .operation = operation_, .fields = {}};
    for (std::size_t i = 0; i < field_count; ++i) v.fields[i] = get(static_cast<field>(i));
    return v;
}

subject_key subject_of(const row_view& r) noexcept {
    const field kind = operation_of(r.operation).subject;
    const auto serial = r.get(kind);
    const auto hash = XXH3_128bits_withSeed(serial.data(), serial.size(), static_cast<XXH64_hash_t>(kind));
    return {hash.high64, hash.low64};
}

std::string row_problem::text() const {
    if (column.empty()) return reason;
    return fmt::format("{} {}", printable(column, 60), reason);
}

result<row_mapper> row_mapper::create(const column_options& options) {
    row_mapper mapper;
    mapper.operation_column_name_ = "operation";
    for (std::size_t i = 0; i < field_count; ++i) mapper.column_names_[i] = name_of(static_cast<field>(i));
    for (const auto& [name, column] : options.map) {
        bool known = equal_ignoring_case(name, "operation");
        if (known) mapper.operation_column_name_ = column;
        for (std::size_t i = 0; i < field_count && !known; ++i) {
            known = equal_ignoring_case(name, name_of(static_cast<field>(i)));
            if (known) mapper.column_names_[i] = column;
        }
        if (!known)
            return error(errc::usage,
                         fmt::format("--map {}={}: '{}' is no field; the fields are operation, userId, "
                                     "tokenSerialNumber, tokenName and deviceSerialNumber",
                                     name, column, name));
        if (column.empty())
            return error(errc::usage, fmt::format("--map {}=: the column's name is missing", name));
    }
    if (!options.operation.empty()) {
        mapper.fixed_operation_ = find_operation(options.operation);
        if (mapper.fixed_operation_ == nullptr)
            return error(errc::usage,
                         fmt::format("--operation {}: unknown; it can be assign, enable, disable or "
                                     "enable-ds100",
                                     printable(options.operation, 60)));
    }
    return mapper;
}

std::int8_t row_mapper::meaning(std::string_view column) const {
    if (equal_ignoring_case(column, operation_column_name_)) return operation_column;
    for (std::size_t i = 0; i < field_count; ++i)
        if (equal_ignoring_case(column, column_names_[i])) return static_cast<std::int8_t>(i);
    return unknown_column;
}

result<void> row_mapper::check_header(const std::vector<std::string_view>& names) const {
    std::array<std::string_view, field_count> found{};
    std::string_view operation_found;
    for (const auto name : names) {
        const auto m = meaning(name);
        if (m == unknown_column) continue;
        auto& place = m == operation_column ? operation_found : found[static_cast<std::size_t>(m)];
        if (place.data() != nullptr)
            return error(errc::bad_job, fmt::format("the columns '{}' and '{}' are the same field",
                                                    printable(place, 60), printable(name, 60)));
        place = name;
    }
    if (names.size() == 1 && names.front().find_first_of(";\t") != std::string_view::npos)
        return error(errc::bad_job,
                     "the fields must be separated by commas, not by semicolons or tabs; save it as CSV "
                     "with commas");
    const auto missing = [&](std::string_view what, std::string_view hint) -> error {
        std::string text = fmt::format("there is no column '{}'", printable(what, 60));
        for (const auto name : names)
            if (meaning(name) == unknown_column && edit_distance(name, what) < 3)
                return {errc::bad_job,
                        text + fmt::format("; is '{}' meant? Then correct it, or say --map {}=\"{}\"",
                                           printable(name, 60), what, printable(name, 60))};
        return {errc::bad_job, text + std::string(hint)};
    };
    if (operation_found.data() == nullptr && fixed_operation_ == nullptr)
        return missing(operation_column_name_,
                       "; add it, or say --operation assign (or enable, disable, enable-ds100)");
    const auto has = [&](field f) { return found[static_cast<std::size_t>(f)].data() != nullptr; };
    const auto name = [&](field f) -> std::string_view { return column_names_[static_cast<std::size_t>(f)]; };
    if (!has(field::user_id)) return missing(name(field::user_id), "; every operation needs it");
    if (fixed_operation_ != nullptr && !has(fixed_operation_->subject))
        return missing(name(fixed_operation_->subject), fmt::format("; {} needs it", fixed_operation_->name));
    if (!has(field::token_serial) && !has(field::device_serial))
        return missing(name(field::token_serial), fmt::format(" (nor '{}')", name(field::device_serial)));
    return {};
}

std::vector<std::pair<std::string, std::string>> row_mapper::suspicious_columns(
    const std::vector<std::string_view>& names) const {
    std::vector<std::pair<std::string, std::string>> out;
    std::vector<std::int8_t> meanings;
    for (const auto name : names) meanings.push_back(meaning(name));
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (meanings[i] != unknown_column) continue;
        for (std::size_t f = 0; f < field_count; ++f) {
            const bool taken = std::ranges::find(meanings, static_cast<std::int8_t>(f)) != meanings.end();
            if (!taken && edit_distance(names[i], column_names_[f]) < 3)
                out.emplace_back(std::string(names[i]), column_names_[f]);
        }
    }
    return out;
}

namespace {

std::string unknown_operation(std::string_view name) {
    const auto near = nearest_operation(name);
    return fmt::format("'{}' is unknown{}", printable(name, 60),
                       near.empty() ? std::string("; it can be assign, enable, disable or enable-ds100")
                                    : fmt::format("; is '{}' meant?", near));
}

}  // namespace

void row_mapper::learn_names(const std::vector<std::string_view>& names) {
    seen_names_.resize(names.size());
    seen_meanings_.resize(names.size(), unknown_column);
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (seen_names_[i] == names[i] && !names[i].empty()) continue;
        seen_names_[i] = names[i];
        seen_meanings_[i] = meaning(names[i]);
    }
}

std::optional<row_problem> row_mapper::map(const record& from, std::uint64_t index, row_view& out) {
    out.index = index;
    out.line = from.line;
    out.operation = operation_id::assign;
    out.fields.fill({});
    if (!from.problem.empty()) return row_problem{from.column, from.problem};

    if (!from.names_as_before || seen_meanings_.size() != from.names.size()) learn_names(from.names);
    // All fields are read before the first problem is told, so that a bad row's token is known wherever it
    // stands.
    std::optional<row_problem> problem;
    const auto note = [&](std::string_view column, std::string reason) {
        if (!problem) problem = row_problem{std::string(column), std::move(reason)};
    };
    const operation* op = fixed_operation_;
    std::array<bool, field_count> given{};
    for (std::size_t i = 0; i < from.names.size(); ++i) {
        const auto m = seen_meanings_[i];
        const cell& value = from.cells[i];
        if (m == unknown_column || (value.json && value.text == "null")) continue;
        if (value.json) {
            note(from.names[i], "must be a string in quotes (a number would lose its leading zeros)");
        } else if (m == operation_column) {
            if (value.text.empty()) continue;
            op = find_operation(value.text);
            if (op == nullptr) note(from.names[i], unknown_operation(value.text));
        } else if (given[static_cast<std::size_t>(m)]) {
            note(from.names[i], "is given twice");
        } else {
            given[static_cast<std::size_t>(m)] = true;
            out.fields[static_cast<std::size_t>(m)] = value.text;
        }
    }
    if (problem) return problem;
    if (op == nullptr) return row_problem{operation_column_name_, "is missing"};
    if (fixed_operation_ != nullptr && op != fixed_operation_)
        return row_problem{operation_column_name_,
                           fmt::format("is '{}', but --operation says {}", op->name, fixed_operation_->name)};
    out.operation = op->id;
    for (const parameter& p : op->parameters) {
        const auto value = out.get(p.name);
        const auto& column = column_names_[static_cast<std::size_t>(p.name)];
        if (value.empty()) {
            if (p.required) return row_problem{column, fmt::format("is missing; {} needs it", op->name)};
            continue;
        }
        if (auto reason = check_field(p.name, value)) return row_problem{column, std::move(*reason)};
    }
    return std::nullopt;
}

}  // namespace muster
