// CSV read slowly and obviously, by the grammar: what the fast reader is compared with. It shares nothing
// with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::test {

/// What the grammar says, one character at a time.
class csv_reference {
  public:
    explicit csv_reference(std::string_view text) : text_(text) {}

    struct found {
        std::uint64_t line;
        std::vector<std::string> cells;
        bool bad;
    };

    /// Nothing after an unclosed quote.
    std::optional<found> next() {
        while (at_ < text_.size()) {
            found record{line_, {}, false};
            const std::size_t begin = at_;
            std::size_t end_of_text = 0;
            do {
                record.cells.push_back(field(record.bad));
                if (unclosed) return std::nullopt;
                end_of_text = at_;
            } while (take(","));
            if (!take("\n") && !take("\r\n")) take("\r");
            ++line_;
            if (end_of_text != begin) return record;
        }
        return std::nullopt;
    }

    bool unclosed = false;
    std::uint64_t unclosed_line = 0;

  private:
    bool take(std::string_view what) {
        if (!text_.substr(at_).starts_with(what)) return false;
        at_ += what.size();
        return true;
    }

    bool at_separator() const {
        const auto rest = text_.substr(at_);
        return rest.empty() || rest[0] == ',' || rest[0] == '\n' || rest.starts_with("\r\n") || rest == "\r";
    }

    std::string field(bool& bad) {
        const std::size_t begin = at_;
        std::string inside;
        const bool quoted = take("\"");
        if (quoted) {
            unclosed_line = line_;
            for (;;) {
                if (at_ == text_.size()) {
                    unclosed = true;
                    return {};
                }
                if (take("\"\"")) {
                    inside += '"';
                } else if (take("\"")) {
                    break;
                } else {
                    bad = bad || text_[at_] == '\0';
                    if (text_[at_] == '\n') ++line_;
                    inside += text_[at_++];
                }
            }
        }
        const std::size_t behind = at_;
        for (; !at_separator(); ++at_) {
            const char c = text_[at_];
            bad = bad || quoted || c == '"' || c == '\r' || c == '\0';
        }
        if (quoted && at_ == behind) return inside;
        return std::string(text_.substr(begin, at_ - begin));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::uint64_t line_ = 1;
};

}  // namespace muster::test
