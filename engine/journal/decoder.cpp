#include "engine/journal/decoder.hpp"

#include "engine/journal/crc32c.hpp"
#include "engine/journal/encoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace muster {
namespace {

// Reads a payload; anything that does not fit makes it fail for good.
class payload_reader {
  public:
    explicit payload_reader(std::string_view bytes) : left_(bytes) {}

    std::uint8_t byte() {
        if (left_.empty()) return fail();
        const auto value = static_cast<std::uint8_t>(left_.front());
        left_.remove_prefix(1);
        return value;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < std::min<std::size_t>(left_.size(), 10); ++i) {
            const std::uint64_t b = static_cast<unsigned char>(left_[i]);
            if (i == 9 && b > 1) break;  // over 64 bits
            value |= (b & 0x7FU) << (7 * i);
            if ((b & 0x80U) != 0) continue;
            left_.remove_prefix(i + 1);
            return value;
        }
        return fail();
    }
    std::int64_t signed_varint() {
        const std::uint64_t v = varint();
        return static_cast<std::int64_t>((v >> 1U) ^ (~(v & 1U) + 1U));
    }
    std::string_view text() {
        const std::uint64_t size = varint();
        if (size > left_.size()) {
            fail();
            return {};
        }
        const auto value = left_.substr(0, static_cast<std::size_t>(size));
        left_.remove_prefix(value.size());
        return value;
    }
    // `phrases` may lack the one meant when the journal was damaged before: then the text is empty.
    std::string_view reference(const std::vector<std::string>& phrases) {
        const std::uint64_t number = varint();
        if (number == 0) return text();
        return number <= phrases.size() ? std::string_view(phrases[static_cast<std::size_t>(number - 1)])
                                        : std::string_view();
    }
    [[nodiscard]] bool done() const { return good_ && left_.empty(); }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] std::size_t left() const { return left_.size(); }

  private:
    std::uint8_t fail() {
        good_ = false;
        left_ = {};
        return 0;
    }
    std::string_view left_;
    bool good_ = true;
};

constexpr std::int64_t max_milliseconds = std::int64_t{1} << 50;  // 35,000 years: keeps sums from overflowing

wall_time later(wall_time from, std::int64_t milliseconds) {
    if (milliseconds > max_milliseconds || milliseconds < -max_milliseconds) return from;
    return from + std::chrono::milliseconds(milliseconds);
}

bool read_rows(payload_reader& from, std::vector<std::uint64_t>& rows) {
    const std::uint64_t count = from.varint();
    if (count > from.left()) return false;  // each takes a byte at least
    rows.reserve(static_cast<std::size_t>(count));
    std::uint64_t row = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        row += static_cast<std::uint64_t>(from.signed_varint());
        rows.push_back(row);
    }
    return from.done();
}

// Replaces all of `out`; its texts keep their memory, as outcomes are many and alike.
bool read_outcome(payload_reader& from, wall_time created_at, const std::vector<std::string>& phrases,
                  row_outcome& out) {
    out.details.state.clear();
    out.details.changed_at.clear();
    out.details.changed_by.clear();
    out.details.token_serial.clear();
    out.message.clear();
    out.row = from.varint();
    const auto result = from.byte();
    if (result >= static_cast<std::uint8_t>(outcome::pending)) return false;
    out.result = static_cast<outcome>(result);
    out.status = static_cast<unsigned>(from.varint());
    out.attempts = static_cast<unsigned>(from.varint());
    out.at = later(created_at, from.signed_varint());
    const unsigned parts = from.byte();
    if ((parts & 0x01U) != 0) out.details.state = from.reference(phrases);
    if ((parts & 0x02U) != 0) append_iso(out.details.changed_at, later(out.at, from.signed_varint()));
    if ((parts & 0x04U) != 0) out.details.changed_at = from.text();
    if ((parts & 0x08U) != 0) out.details.changed_by = from.reference(phrases);
    if ((parts & 0x10U) != 0) out.details.token_serial = from.text();
    if ((parts & 0x20U) != 0) out.message = from.text();
    return from.done();
}

std::size_t load_u24(std::string_view bytes) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 3; ++i)
        value |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return value;
}

std::uint32_t load_u32(std::string_view bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i)
        value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return value;
}

}  // namespace

void journal_decoder::feed(std::string_view bytes) {
    if (at_ > 0 && (at_ >= buffer_.size() || at_ > max_record_payload)) {
        base_ += at_;
        buffer_.erase(0, at_);
        at_ = 0;
    }
    buffer_ += bytes;
}

journal_decoder::step journal_decoder::read_frame(std::string_view rest, std::uint64_t offset, bool finished,
                                                  frame& out, std::string& why) {
    if (rest.size() < record_prefix_bytes) {
        why = "an incomplete record";
        return finished ? step::bad : step::need_more;
    }
    const std::size_t length = load_u24(rest.substr(4));
    const auto type = static_cast<std::uint8_t>(rest[7]);
    if (length > max_record_payload) {
        why = "a record of impossible length";
        return step::bad;
    }
    if (type < static_cast<std::uint8_t>(record_type::header) ||
        type > static_cast<std::uint8_t>(record_type::lost)) {
        why = "a record of unknown type";
        return step::bad;
    }
    if (rest.size() < record_prefix_bytes + length) {
        why = "an incomplete record";
        return finished ? step::bad : step::need_more;
    }
    std::array<char, 8> place{};
    for (std::size_t i = 0; i < 8; ++i) place[i] = static_cast<char>((offset >> (8 * i)) & 0xFFU);
    if (crc32c(rest.substr(4, length + 4), crc32c({place.data(), place.size()})) != load_u32(rest)) {
        why = "a record whose checksum is wrong";
        return step::bad;
    }
    out = {static_cast<record_type>(type), rest.substr(record_prefix_bytes, length),
           record_prefix_bytes + length};
    return step::record;
}

journal_decoder::step journal_decoder::fail(std::string why) {
    problem_ = std::move(why);
    return step::bad;
}

journal_decoder::step journal_decoder::next(journal_record& out) {
    if (!started_) {
        const auto have = std::string_view(buffer_).substr(0, journal_magic.size());
        if (have.size() < journal_magic.size())
            return finished_ ? fail("it is too short to be a journal") : step::need_more;
        if (have.substr(0, 7) != journal_magic.substr(0, 7)) return fail("it is no Muster journal");
        if (have != journal_magic)
            return fail(fmt::format("its format is version {}, and this Muster reads version 1",
                                    static_cast<unsigned>(static_cast<unsigned char>(have[7]))));
        started_ = true;
        at_ = journal_magic.size();
    }
    while (true) {
        if (at_ == buffer_.size()) {
            if (!finished_) return step::need_more;
            return header_seen_ ? step::end : fail("its header is missing");
        }
        frame found;
        std::string why;
        const step s = read_frame(at_, found, why);
        if (s == step::bad) return fail(std::move(why));
        if (s != step::record) return s;
        if ((found.type == record_type::header) == header_seen_)
            return fail(header_seen_ ? "a second header" : "its header is missing");
        const bool is_phrase = found.type == record_type::phrase;
        if (!read_payload(found, out)) return fail("a record whose content makes no sense");
        record_offset_ = offset();
        at_ += found.size;
        if (!is_phrase) return step::record;
    }
}

bool journal_decoder::read_payload(const frame& from, journal_record& out) {
    payload_reader in(from.payload);
    switch (from.type) {
        case record_type::header: {
            auto header = header_from_json(from.payload);
            if (!header) return false;
            created_at_ = header->created_at;
            header_seen_ = true;
            out = std::move(*header);
            return true;
        }
        case record_type::session: {
            session_record r;
            r.at = later(wall_time{}, static_cast<std::int64_t>(in.varint()));
            r.process = in.varint();
            r.version = in.text();
            out = std::move(r);
            return in.done();
        }
        case record_type::phrase: {
            const auto text = in.text();
            if (!in.done()) return false;
            if (!numbers_lost_) phrases_.emplace_back(text);
            return true;
        }
        case record_type::intents: return read_rows(in, out.emplace<intents_record>().rows);
        case record_type::withdrawn: return read_rows(in, out.emplace<withdrawn_record>().rows);
        case record_type::lost: {
            const auto how = in.byte();
            auto& r = out.emplace<lost_record>();
            r.hold = how == 1;
            return how <= 1 && read_rows(in, r.rows);
        }
        case record_type::outcome: {
            if (!std::holds_alternative<row_outcome>(out)) out.emplace<row_outcome>();
            return read_outcome(in, created_at_, phrases_, std::get<row_outcome>(out));
        }
        case record_type::end: {
            end_record r;
            const auto reason = in.byte();
            if (reason > static_cast<std::uint8_t>(end_reason::job_changed)) return false;
            r.reason = static_cast<end_reason>(reason);
            r.requests = in.varint();
            r.retries = in.varint();
            r.throttled = in.varint();
            r.milliseconds = in.varint();
            out = r;
            return in.done();
        }
        case record_type::limit: {
            learnt_limit r;
            for (double* thousandth : {&r.rate, &r.burst, &r.cycle})
                *thousandth = static_cast<double>(in.varint()) / 1000;
            r.company = in.varint();
            out = r;
            return in.done();
        }
    }
    return false;
}

bool journal_decoder::outcome_at(std::string_view file, std::uint64_t offset, row_outcome& out) const {
    if (offset > file.size()) return false;
    frame found;
    std::string why;
    const auto rest = file.substr(static_cast<std::size_t>(offset));
    if (read_frame(rest, offset, true, found, why) != step::record || found.type != record_type::outcome)
        return false;
    payload_reader in(found.payload);
    return read_outcome(in, created_at_, phrases_, out);
}

journal_decoder::step journal_decoder::resync() {
    // A place that is incomplete can only be judged with more bytes, so it holds up the search until they
    // come.
    numbers_lost_ = true;
    for (std::size_t at = at_ + 1; at < buffer_.size(); ++at) {
        frame found;
        std::string why;
        const step s = read_frame(at, found, why);
        if (s == step::need_more) {
            at_ = at - 1;
            return s;
        }
        if (s == step::record) {
            at_ = at;
            return s;
        }
    }
    if (!finished_) {
        at_ = buffer_.empty() ? 0 : buffer_.size() - 1;
        return step::need_more;
    }
    at_ = buffer_.size();
    return step::end;
}

}  // namespace muster
