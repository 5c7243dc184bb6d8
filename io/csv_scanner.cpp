// See the header. All that happens happens at a mark (comma, quote, CR, LF, NUL); csv_block.hpp finds them. A
// mark is looked at once, in order, also across refills: marks run out exactly at the end of the buffer, so
// what a refill appends starts a new block.
#include "io/csv_scanner.hpp"

#include "io/record_reader.hpp"

#include <bit>

namespace muster {

namespace {
constexpr std::size_t longest_break = 2;  // CR LF
}

csv_scanner::csv_scanner(record_buffer& buffer) : buffer_(buffer) {
    fields_.resize(2 * csv_block::bytes);
}

result<csv_end> csv_scanner::scan() {
    begin_record();
    for (;;) {
        if (!quoted_) pass_plain_fields();
        const std::size_t at = next_mark();
        if (at == none) return end_of_text();
        const char mark = buffer_.begin()[at];
        if (quoted_ && closing_quote_ == none) {
            look_within_quotes(mark, at);
            continue;
        }
        switch (mark) {
            case ',':
                end_field(at);
                field_begin_ = at + 1;
                break;
            case '\n': end_field(at); return end_record(at, 1);
            case '\r':
                if (next_is(at, '\n')) {
                    (void)next_mark();
                    end_field(at);
                    return end_record(at, 2);
                }
                if (at + 1 == buffer_.size() && !failure_) {  // a file cut off within its last line break
                    end_field(at);
                    return end_record(at, 1);
                }
                note(csv_fault::bare_cr);
                break;
            case '"': look_at_quote(at); break;
            default: note(csv_fault::nul);
        }
    }
}

void csv_scanner::pass() {
    buffer_.consume(length_ + break_length_);
}

void csv_scanner::begin_record() noexcept {
    if (block_ == nullptr) load_block(buffer_.begin());
    count_ = 0;
    any_doubled_ = false;
    line_breaks_ = breaks_before_quote_ = fault_field_ = field_begin_ = 0;
    closing_quote_ = none;
    fault_ = csv_fault::none;
    quoted_ = doubled_ = false;
    ascii_ = block_ascii_;
}

void csv_scanner::load_block(const char* at) noexcept {
    const csv_block block = scan_csv_block(at);
    const auto left = static_cast<std::size_t>(buffer_.end() - at);
    block_ = at;
    marks_ = left < csv_block::bytes ? block.marks & ((std::uint64_t{1} << left) - 1) : block.marks;
    block_ascii_ = block.ascii;
    ascii_ = ascii_ && block.ascii;
}

bool csv_scanner::read_more() {
    const std::size_t seen = buffer_.size();
    if (failure_ || seen > max_record_bytes + longest_break) return false;
    const auto read = buffer_.refill();
    if (!read) failure_ = read.error();
    if (!read || *read == 0) return false;
    load_block(buffer_.begin() + seen);
    return true;
}

std::size_t csv_scanner::next_mark() {
    while (marks_ == 0) {
        if (buffer_.end() - block_ > static_cast<std::ptrdiff_t>(csv_block::bytes)) {
            load_block(block_ + csv_block::bytes);
        } else if (!read_more()) {
            return none;
        }
    }
    const char* mark = block_ + std::countr_zero(marks_);
    marks_ &= marks_ - 1;
    return static_cast<std::size_t>(mark - buffer_.begin());
}

bool csv_scanner::next_is(std::size_t offset, char c) {
    if (offset + 1 == buffer_.size() && !read_more()) return false;
    return buffer_.begin()[offset + 1] == c;
}

void csv_scanner::look_within_quotes(char mark, std::size_t offset) {
    if (mark == '\n') {
        ++line_breaks_;
    } else if (mark == '\0') {
        note(csv_fault::nul);
    } else if (mark == '"') {
        if (next_is(offset, '"')) {
            (void)next_mark();
            doubled_ = true;
        } else {
            closing_quote_ = offset;
        }
    }
}

void csv_scanner::look_at_quote(std::size_t offset) {
    if (offset == field_begin_) {
        quoted_ = true;
        breaks_before_quote_ = line_breaks_;
    } else {
        note(quoted_ ? csv_fault::text_behind_quote : csv_fault::bare_quote);
    }
}

/// Takes the commas that are next among the block's marks: what the loop in scan() does, without its
/// questions.
void csv_scanner::pass_plain_fields() {
    if (fields_.size() < count_ + csv_block::bytes) fields_.resize(2 * fields_.size());
    const char* const begin = buffer_.begin();
    const char* field = begin + field_begin_;
    csv_field* to = fields_.data() + count_;
    std::uint64_t marks = marks_;
    for (; marks != 0; marks &= marks - 1) {
        const char* mark = block_ + std::countr_zero(marks);
        if (*mark != ',') break;
        *to++ = {static_cast<std::uint32_t>(field - begin), static_cast<std::uint32_t>(mark - begin), false};
        field = mark + 1;
    }
    marks_ = marks;
    field_begin_ = static_cast<std::size_t>(field - begin);
    count_ = static_cast<std::size_t>(to - fields_.data());
}

void csv_scanner::append(std::size_t begin, std::size_t end, bool doubled) {
    if (count_ == fields_.size()) fields_.resize(count_ * 2);
    fields_[count_++] = {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end), doubled};
}

void csv_scanner::end_field(std::size_t offset) {
    if (!quoted_) {
        append(field_begin_, offset, false);
        return;
    }
    if (closing_quote_ + 1 == offset) {
        append(field_begin_ + 1, closing_quote_, doubled_);
        any_doubled_ = any_doubled_ || doubled_;
    } else {
        note(csv_fault::text_behind_quote);
        append(field_begin_, offset, false);
    }
    quoted_ = doubled_ = false;
    closing_quote_ = none;
}

csv_end csv_scanner::end_record(std::size_t length, std::size_t break_length) {
    length_ = length;
    break_length_ = break_length;
    if (length > max_record_bytes) return csv_end::too_long;
    return length == 0 ? csv_end::blank_line : csv_end::record;
}

result<csv_end> csv_scanner::end_of_text() {
    if (failure_) return *failure_;
    if (buffer_.size() > max_record_bytes + longest_break) return csv_end::too_long;
    if (buffer_.size() == 0) return csv_end::end_of_data;
    if (quoted_ && closing_quote_ == none) return csv_end::unclosed_quote;
    end_field(buffer_.size());
    return end_record(buffer_.size(), 0);
}

void csv_scanner::note(csv_fault fault) noexcept {
    if (fault_ != csv_fault::none) return;
    fault_ = fault;
    fault_field_ = count_;
}

}  // namespace muster
