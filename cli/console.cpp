#include "cli/console.hpp"

#include "engine/json_text.hpp"
#include "engine/outcome.hpp"
#include "engine/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace muster {
namespace {

std::size_t terminal_width() {
    struct winsize size {};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1) return size.ws_col;
    return 80;
}

void write_error(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
}

std::string_view name_of(console::level l) {
    switch (l) {
        case console::level::info: return "info";
        case console::level::warning: return "warning";
        case console::level::failure: return "error";
    }
    return {};
}

}  // namespace

bool console::is_terminal() noexcept {
    const char* const term = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

void console::log(level l, std::string_view event, std::string_view text, const log_fields& fields) {
    std::string line;
    if (json_) {
        const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
        line = fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"event\":\"{}\",\"message\":", to_iso(now),
                           name_of(l), event);
        append_json_string(line, text);
        for (const auto& [name, value] : fields) {
            line += ',';
            append_json_string(line, name);
            line += ':';
            const bool number = !value.empty() && std::ranges::all_of(value, [](char c) {
                return is_ascii_digit(c) || c == '.';
            });
            if (number)
                line += value;
            else
                append_json_string(line, value);
        }
        line += "}\n";
    } else {
        const std::string_view prefix = l == level::info ? "" : l == level::warning ? "warning: " : "error: ";
        line = fmt::format("muster: {}{}\n", prefix, text);
    }
    const std::string redraw = drawn_;
    clear();
    write_error(line);
    if (!redraw.empty()) progress(redraw);
}

void console::progress(std::string line) {
    const std::size_t width = terminal_width();
    // ASCII only, so that bytes are columns; one column is kept free, or some terminals wrap.
    if (line.size() >= width) line = line.substr(0, width - 1);
    write_error("\r");
    write_error(line);
    write_error("\x1b[K");
    drawn_ = std::move(line);
}

void console::clear() {
    if (drawn_.empty()) return;
    write_error("\r\x1b[K");
    drawn_.clear();
}

void write_result(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void take_standard_streams() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        // The lowest free number is this one. The wrong direction, so that reading or writing fails.
        if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) return;
    }
}

std::string grouped(std::uint64_t n) {
    std::string digits = fmt::format("{}", n);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
    return digits;
}

std::string lasting(double seconds) {
    if (seconds < 10) return fmt::format("{:.1f} s", seconds);
    const auto s = static_cast<std::uint64_t>(std::llround(std::min(seconds, 1e15)));
    if (s < 60) return fmt::format("{} s", s);
    if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
    if (s < 86'400) return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
    return fmt::format("{} days {} h", s / 86'400, s % 86'400 / 3600);
}

std::string counted(std::uint64_t n, std::string_view noun) {
    return fmt::format("{} {}{}", grouped(n), noun, n == 1 ? "" : "s");
}

std::string shell_word(std::string_view word) {
    const auto plain = [](char c) {
        return is_ascii_alphanumeric(c) || std::string_view("-_./,:@%+=").find(c) != std::string_view::npos;
    };
    if (!word.empty() && std::ranges::all_of(word, plain)) return std::string(word);
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    out += '\'';
    return out;
}

}  // namespace muster
