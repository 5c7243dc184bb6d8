#include "io/csv_cutter.hpp"

#include "io/record_reader.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace muster {
namespace {

std::uint64_t line_feeds(std::string_view text) {
    constexpr std::size_t step = 128;  // of a fixed length, so that it vectorises
    std::uint64_t all = 0;
    for (; text.size() >= step; text.remove_prefix(step)) {
        unsigned char some = 0;
        for (std::size_t i = 0; i < step; ++i)
            some = static_cast<unsigned char>(some + (text[i] == '\n' ? 1 : 0));
        all += some;
    }
    return all + static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

csv_cutter::csv_cutter(byte_source& source, std::size_t block_bytes)
    : source_(source), block_bytes_(block_bytes) {}

result<csv_cutter::block> csv_cutter::next() {
    std::string text = header_;
    text += std::exchange(rest_, {});
    end_ = 0;
    while (end_ == 0) {
        const std::size_t before = text.size();
        if (before > header_.size() + max_record_bytes + block_bytes_)
            return error(errc::bad_job, "no record ends for longer than one may be");
        const auto more = read(text);
        if (!more) return more.error();
        look(text, before);
        if (*more) continue;
        end_ = text.size();
        if (end_ == header_.size()) return block{.bytes = std::string(record_buffer::padding, '\0')};
    }
    rest_.assign(text, end_);
    const std::uint64_t first_line = std::exchange(
        line_, line_ + line_feeds(std::string_view(text).substr(header_.size(), end_ - header_.size())));
    text.resize(end_ + record_buffer::padding);
    return block{.bytes = std::move(text), .first_line = first_line};
}

void csv_cutter::begin_each_with(std::string header) {
    header_ = std::move(header);
}

result<bool> csv_cutter::read(std::string& text) {
    const std::size_t before = text.size();
    std::size_t size = before;
    text.reserve(before + block_bytes_ + record_buffer::padding);
    text.resize(before + block_bytes_);
    while (size < text.size()) {
        const auto got = source_.read(std::span(text).subspan(size));
        if (!got) return got.error();
        if (*got == 0) break;
        size += *got;
    }
    text.resize(size);
    return size > before;
}

void csv_cutter::look(const std::string& text, std::size_t from) {
    for (std::string_view left = std::string_view(text).substr(from); !left.empty();) {
        const std::size_t quote = std::min(left.find('"'), left.size());
        const std::size_t line_end = within_quotes_ ? left.npos : left.substr(0, quote).rfind('\n');
        if (line_end != left.npos) end_ = text.size() - left.size() + line_end + 1;
        if (quote == left.size()) break;
        within_quotes_ = !within_quotes_;
        left.remove_prefix(quote + 1);
    }
}

}  // namespace muster
