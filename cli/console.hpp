// What goes to standard error: log lines (text or JSON) and, on a terminal, a progress line that log lines do
// not tear. Standard output is for results alone.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster {

/// Further members of a JSON log line; a value that starts with a digit is written as a number.
using log_fields = std::vector<std::pair<std::string_view, std::string>>;

class console {
  public:
    enum class level { info, warning, failure };

    explicit console(bool json) : json_(json) {}

    void log(level l, std::string_view event, std::string_view text, const log_fields& fields = {});
    /// Draws the progress line anew; only on a terminal.
    void progress(std::string line);
    /// Removes the progress line.
    void clear();

    [[nodiscard]] bool json() const noexcept { return json_; }
    /// Standard error is a terminal that can redraw a line.
    [[nodiscard]] static bool is_terminal() noexcept;

  private:
    bool json_;
    std::string drawn_;
};

/// Writes to standard output; main() looks whether all of it got there. (fmt::print throws where it did not.)
void write_result(std::string_view text);
template <typename... Parts>
void print_result(fmt::format_string<Parts...> form, Parts&&... parts) {
    write_result(fmt::format(form, std::forward<Parts>(parts)...));
}

/// Makes sure that descriptors 0 to 2 are taken: where the caller closed one, the journal could get its
/// number, and be written to as if it were standard output. What is put there fails as the closed one would.
void take_standard_streams();

/// 1234567 as "1,234,567".
std::string grouped(std::uint64_t n);
/// "45 s", "3 min 20 s", "2 h 5 min", "3 days 4 h".
std::string lasting(double seconds);
/// "1 row", "2 rows".
std::string counted(std::uint64_t n, std::string_view noun);
/// A word as a shell takes it: quoted where it needs to be.
std::string shell_word(std::string_view word);

}  // namespace muster
