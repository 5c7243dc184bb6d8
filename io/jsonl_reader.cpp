// The JSONL side of record_reader. A line ends at LF and nowhere else (JSON text cannot hold one), so
// whatever is wrong within a line, the next one is safe to read. Only a line that is too long, or a file that
// is no text at all, ends the reading.
#include "io/json_line.hpp"
#include "io/not_text.hpp"
#include "io/record_buffer.hpp"
#include "io/record_reader.hpp"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <utility>

namespace muster {
namespace {

constexpr std::size_t longest_break = 2;  // CR LF

std::string_view without_carriage_return(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

bool is_blank(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

class jsonl_reader final : public record_reader {
  public:
    jsonl_reader(byte_source& source, std::string name) : name_(std::move(name)), buffer_(source) {}

    result<bool> next(record& out) override {
        if (failure_) return *failure_;
        auto found = read_record(out);
        if (!found) failure_ = found.error();
        return found;
    }

    const std::vector<std::string>& columns() const noexcept override { return parser_.columns(); }

  private:
    error bad(std::string_view what) const {
        return {errc::bad_job, fmt::format("{}:{}: {}", name_, line_, what)};
    }

    result<bool> read_record(record& out) {
        if (line_ == 0) {
            if (auto started = buffer_.start(); !started) return started.error();
        }
        std::string_view line;
        do {
            const auto found = find_line(line);
            if (!found) return found.error();
            if (!*found) return false;
        } while (is_blank(line));
        if (!has_record_ && is_binary(line)) return bad(why_not_text(line));
        has_record_ = true;
        out.line = line_;
        out.problem.clear();
        out.column.clear();
        parser_.parse(line, out);
        return true;
    }

    /// The next line without its break, or false at the end.
    result<bool> find_line(std::string_view& line) {
        buffer_.consume(std::exchange(passing_, 0));
        ++line_;
        std::size_t searched = 0;
        const char* end = find_break(searched);
        while (end == nullptr) {
            searched = buffer_.size();
            if (searched > max_record_bytes + longest_break) return too_long();
            const auto read = buffer_.refill();
            if (!read) return read.error();
            if (*read == 0) break;
            end = find_break(searched);
        }
        const std::size_t length =
            end == nullptr ? buffer_.size() : static_cast<std::size_t>(end - buffer_.begin());
        passing_ = end == nullptr ? length : length + 1;
        line = without_carriage_return(buffer_.view().substr(0, length));
        if (line.size() > max_record_bytes) return too_long();
        return passing_ != 0;
    }

    [[nodiscard]] const char* find_break(std::size_t from) const noexcept {
        return static_cast<const char*>(std::memchr(buffer_.begin() + from, '\n', buffer_.size() - from));
    }

    error too_long() const {
        if (!has_record_ && is_binary(buffer_.view())) return bad(why_not_text(buffer_.view()));
        return bad(fmt::format("the line is longer than {} bytes; a job file in JSONL has one object a line",
                               max_record_bytes));
    }

    std::string name_;
    record_buffer buffer_;
    json_line_parser parser_;
    std::optional<error> failure_;
    std::uint64_t line_ = 0;
    std::size_t passing_ = 0;  // bytes of the last line with its break
    bool has_record_ = false;
};

}  // namespace

std::unique_ptr<record_reader> make_jsonl_reader(byte_source& source, std::string name) {
    return std::make_unique<jsonl_reader>(source, std::move(name));
}

}  // namespace muster
