#include "cli/plan_text.hpp"

#include "cli/console.hpp"
#include "engine/json_text.hpp"
#include "engine/text.hpp"

#include <fmt/format.h>

namespace muster {
namespace {

std::string estimate(std::uint64_t requests, std::optional<double> max_rate) {
    const auto at = [&](double rate) { return lasting(static_cast<double>(requests) / rate); };
    if (max_rate) return fmt::format("at {:g} requests/s (--max-rate): {}", *max_rate, at(*max_rate));
    return fmt::format("at 10 requests/s {}, at 100/s {}, at 1,000/s {}", at(10), at(100), at(1000));
}

}  // namespace

std::string invalid_rows_text(const std::string& job, const plan& p) {
    std::string out;
    for (const invalid_row& r : p.first_invalid) out += fmt::format("{}:{}: {}\n", job, r.line, r.problem);
    if (p.invalid > p.first_invalid.size())
        out += fmt::format("… and {} more\n", grouped(p.invalid - p.first_invalid.size()));
    return out;
}

std::string plan_text(const std::string& job, const survey& s, std::optional<double> max_rate) {
    const plan& p = s.of;
    const std::uint64_t valid = p.rows - p.invalid;
    std::string out = fmt::format("{}: {}, {} invalid; {} bytes, SHA-256 {}\n", job, counted(p.rows, "row"),
                                  grouped(p.invalid), grouped(s.identity.size), s.identity.sha256);
    for (const operation& op : operations())
        if (const auto n = p.by_operation[static_cast<std::size_t>(op.id)]; n > 0)
            out += fmt::format("  {:<12} {:>11}\n", op.name, grouped(n));
    if (valid > 0) {
        out += fmt::format("Order: {} {}; ", grouped(p.subjects),
                           p.subjects == 1 ? "token or device" : "tokens and devices");
        out += p.waiting_rows == 0
                   ? std::string("no row waits for another.\n")
                   : fmt::format("{} for an earlier row of the same one (at most {} in a line).\n",
                                 p.waiting_rows == 1 ? "1 row waits" : grouped(p.waiting_rows) + " rows wait",
                                 grouped(p.longest_line));
        out += fmt::format("Estimate: {} requests; {}.\n", grouped(valid), estimate(valid, max_rate));
    }
    for (const auto& [column, field] : s.suspicious)
        out += fmt::format("Column '{}' is not used; is it {}? Then correct it, or say --map {}={}\n",
                           printable(column, 60), field, field, shell_word(printable(column, 60)));
    if (p.duplicates + p.contradictions > 0) {
        out += fmt::format("Look at these ({} that repeat another, {} that contradict another):\n",
                           counted(p.duplicates, "row"), counted(p.contradictions, "row"));
        for (const row_conflict& c : p.first_conflicts) out += fmt::format("  {}\n", c.text());
        if (p.duplicates + p.contradictions > p.first_conflicts.size()) out += "  …\n";
    }
    if (p.invalid > 0)
        out += "Invalid rows (run refuses the job unless --skip-invalid is given):\n" +
               invalid_rows_text(job, p);
    return out;
}

std::string plan_json(const std::string& job, const survey& s) {
    const plan& p = s.of;
    std::string out = "{\"job\":";
    append_json_string(out, job);
    out += fmt::format(",\"rows\":{},\"invalid\":{},\"operations\":{{", p.rows, p.invalid);
    for (const operation& op : operations())
        out += fmt::format("{}\"{}\":{}", op.id == operation_id::assign ? "" : ",", op.name,
                           p.by_operation[static_cast<std::size_t>(op.id)]);
    out += fmt::format(
        "}},\"subjects\":{},\"waitingRows\":{},\"longestLine\":{},\"duplicates\":{},\"contradictions\":{},"
        "\"size\":{},\"sha256\":\"{}\",\"invalidRows\":[",
        p.subjects, p.waiting_rows, p.longest_line, p.duplicates, p.contradictions, s.identity.size,
        s.identity.sha256);
    for (std::size_t i = 0; i < p.first_invalid.size(); ++i) {
        out += fmt::format("{}{{\"line\":{},\"reason\":", i == 0 ? "" : ",", p.first_invalid[i].line);
        append_json_string(out, p.first_invalid[i].problem);
        out += '}';
    }
    out += "],\"conflicts\":[";
    for (std::size_t i = 0; i < p.first_conflicts.size(); ++i) {
        const row_conflict& c = p.first_conflicts[i];
        out += fmt::format("{}{{\"lines\":[{},{}],\"text\":", i == 0 ? "" : ",", c.first_line, c.second_line);
        append_json_string(out, c.text());
        out += '}';
    }
    return out + "]}";
}

}  // namespace muster
