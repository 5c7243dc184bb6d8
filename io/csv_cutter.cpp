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
    block b{.text = std::exchange(rest_, {}), .first_line = line_};
    end_ = 0;
    while (end_ == 0) {
        const std::size_t before = b.text.size();
        if (before > max_record_bytes + block_bytes_)
            return error(errc::bad_job, "no record ends for longer than one may be");
        const auto more = read(b.text);
        if (!more) return more.error();
        look(b.text, before);
        if (!*more) end_ = b.text.size();
        if (b.text.empty()) return b;
    }
    rest_.assign(b.text, end_);
    b.text.resize(end_);
    line_ += line_feeds(b.text);
    return b;
}

result<bool> csv_cutter::read(std::string& text) {
    const std::size_t before = text.size();
    std::size_t size = before;
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
