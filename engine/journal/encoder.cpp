#include "engine/journal/encoder.hpp"

#include "engine/journal/crc32c.hpp"
#include "engine/text.hpp"

#include <algorithm>
#include <cmath>

namespace muster {
namespace {

constexpr std::size_t max_phrases = 4096;  // beyond that the texts are all different: no use to number them
constexpr std::size_t max_phrase_bytes = 1024;
constexpr std::size_t max_message_bytes = 4096;
constexpr std::size_t max_word_bytes = 100;
constexpr std::size_t rows_per_record = 4096;

enum part : std::uint8_t {
    has_state = 1,
    has_changed_at = 2,
    has_changed_at_text = 4,
    has_changed_by = 8,
    has_token_serial = 16,
    has_message = 32
};

void store_u24(std::string& to, std::size_t at, std::size_t value) {
    for (std::size_t i = 0; i < 3; ++i) to[at + i] = static_cast<char>((value >> (8 * i)) & 0xFFU);
}

}  // namespace

journal_encoder::journal_encoder(const journal_header& header) : created_at_(header.created_at) {
    buffer_ = journal_magic;
    begin(record_type::header);
    buffer_ += header_to_json(header);
    finish();
}

journal_encoder::journal_encoder(wall_time created_at, std::uint64_t offset,
                                 const std::vector<std::string>& phrases)
    : created_at_(created_at), taken_(offset) {
    for (const auto& text : phrases) phrases_.emplace(text, phrases_.size() + 1);
}

void journal_encoder::begin(record_type type) {
    record_start_ = buffer_.size();
    buffer_.append(record_prefix_bytes - 1, '\0');
    buffer_ += static_cast<char>(type);
}

void journal_encoder::finish() {
    store_u24(buffer_, record_start_ + 4, buffer_.size() - record_start_ - record_prefix_bytes);
    const std::uint64_t place = taken_ + record_start_;
    std::array<char, 8> offset{};
    for (std::size_t i = 0; i < 8; ++i) offset[i] = static_cast<char>((place >> (8 * i)) & 0xFFU);
    const auto checked = std::string_view(buffer_).substr(record_start_ + 4);
    const std::uint32_t check = crc32c(checked, crc32c({offset.data(), offset.size()}));
    for (std::size_t i = 0; i < 4; ++i)
        buffer_[record_start_ + i] = static_cast<char>((check >> (8 * i)) & 0xFFU);
}

void journal_encoder::put_varint(std::uint64_t value) {
    while (value >= 0x80U) {
        buffer_ += static_cast<char>((value & 0x7FU) | 0x80U);
        value >>= 7U;
    }
    buffer_ += static_cast<char>(value);
}

void journal_encoder::put_signed(std::int64_t value) {
    put_varint((static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
}

void journal_encoder::put_text(std::string_view text) {
    put_varint(text.size());
    buffer_ += text;
}

std::uint64_t journal_encoder::phrase(std::string_view text) {
    if (text.size() > max_phrase_bytes) return 0;
    const auto known = phrases_.find(text);
    if (known != phrases_.end()) return known->second;
    if (phrases_.size() >= max_phrases) return 0;
    begin(record_type::phrase);
    put_text(text);
    finish();
    return phrases_.emplace(text, phrases_.size() + 1).first->second;
}

void journal_encoder::put_reference(std::uint64_t number, std::string_view text) {
    put_varint(number);
    if (number == 0) put_text(kept_text(text, max_message_bytes));
}

void journal_encoder::session(const session_record& r) {
    begin(record_type::session);
    put_varint(static_cast<std::uint64_t>(std::max<std::int64_t>(0, r.at.time_since_epoch().count())));
    put_varint(r.process);
    put_text(r.version);
    finish();
}

void journal_encoder::rows_record(record_type type, std::span<const std::uint64_t> rows, int first_byte) {
    while (!rows.empty()) {
        const auto part = rows.first(std::min(rows.size(), rows_per_record));
        rows = rows.subspan(part.size());
        begin(type);
        if (first_byte >= 0) buffer_ += static_cast<char>(first_byte);
        put_varint(part.size());
        std::uint64_t before = 0;
        for (const std::uint64_t row : part) {
            put_signed(static_cast<std::int64_t>(row - before));
            before = row;
        }
        finish();
    }
}

void journal_encoder::outcome(const row_outcome& r) {
    const service_details& d = r.details;
    const auto state = d.state.empty() ? 0 : phrase(d.state);
    const auto changed_by = d.changed_by.empty() ? 0 : phrase(d.changed_by);
    const auto changed_at = from_iso(d.changed_at);

    begin(record_type::outcome);
    put_varint(r.row);
    buffer_ += static_cast<char>(r.result);
    put_varint(r.status);
    put_varint(r.attempts);
    put_signed((r.at - created_at_).count());
    unsigned parts = 0;
    if (!d.state.empty()) parts |= has_state;
    if (!d.changed_at.empty()) parts |= changed_at ? has_changed_at : has_changed_at_text;
    if (!d.changed_by.empty()) parts |= has_changed_by;
    if (!d.token_serial.empty()) parts |= has_token_serial;
    if (!r.message.empty()) parts |= has_message;
    buffer_ += static_cast<char>(parts);
    if (!d.state.empty()) put_reference(state, d.state);
    if (changed_at) put_signed((*changed_at - r.at).count());
    if (!d.changed_at.empty() && !changed_at) put_text(kept_text(d.changed_at, max_word_bytes));
    if (!d.changed_by.empty()) put_reference(changed_by, d.changed_by);
    if (!d.token_serial.empty()) put_text(kept_text(d.token_serial, max_word_bytes));
    if (!r.message.empty()) put_text(kept_text(r.message, max_message_bytes));
    finish();
}

void journal_encoder::end(const end_record& r) {
    begin(record_type::end);
    buffer_ += static_cast<char>(r.reason);
    put_varint(r.requests);
    put_varint(r.retries);
    put_varint(r.throttled);
    put_varint(r.milliseconds);
    finish();
}

void journal_encoder::limit(const learnt_limit& l) {
    begin(record_type::limit);
    for (const double thousandth : {l.rate, l.burst, l.cycle})
        put_varint(static_cast<std::uint64_t>(std::llround(std::clamp(thousandth, 0.0, 1e12) * 1000)));
    put_varint(l.company);
    finish();
}

std::string journal_encoder::take(std::string reuse) {
    taken_ += buffer_.size();
    reuse.clear();
    std::swap(buffer_, reuse);
    return reuse;
}

}  // namespace muster
