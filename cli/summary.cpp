#include "cli/summary.hpp"

#include "cli/console.hpp"
#include "engine/json_text.hpp"
#include "engine/text.hpp"

#include <fmt/format.h>

namespace muster {
namespace {

std::string_view meaning(outcome o) {
    switch (o) {
        case outcome::applied: return "";
        case outcome::already: return "was so, or done by an attempt whose reply was lost; verified";
        case outcome::rejected: return "the service refused for good";
        case outcome::blocked: return "not sent: an earlier row of the same token or device did not succeed";
        case outcome::exhausted: return "failures outlasted the attempts; nothing was applied";
        case outcome::in_doubt: return "sent or about to be; whether it was applied is not known";
        case outcome::invalid: return "not sent: the row breaks a rule";
        case outcome::pending: return "not sent yet";
    }
    return "";
}

std::string_view camel(end_reason r) noexcept {
    switch (r) {
        case end_reason::finished: return "finished";
        case end_reason::interrupted: return "interrupted";
        case end_reason::not_authorised: return "notAuthorised";
        case end_reason::too_many_failures: return "tooManyFailures";
        case end_reason::untrusted_server: return "untrustedServer";
        case end_reason::unreachable: return "unreachable";
        case end_reason::misdirected: return "misdirected";
        case end_reason::job_changed: return "jobChanged";
        case end_reason::storage: return "storage";
    }
    return "";
}

}  // namespace

std::string_view words_for(end_reason r) noexcept {
    switch (r) {
        case end_reason::finished: return "finished";
        case end_reason::interrupted: return "interrupted";
        case end_reason::not_authorised: return "not authorised";
        case end_reason::too_many_failures: return "too many failures";
        case end_reason::untrusted_server: return "the server cannot be trusted";
        case end_reason::unreachable: return "the service cannot be reached";
        case end_reason::misdirected: return "this is not the service's address";
        case end_reason::job_changed: return "the job file changed";
        case end_reason::storage: return "the journal cannot be written";
    }
    return "";
}

std::string counts_text(const outcome_counts& counts) {
    std::string out;
    for (std::size_t i = 0; i < outcome_count; ++i) {
        const auto o = static_cast<outcome>(i);
        if (counts[o] == 0 && o != outcome::applied) continue;
        const auto line = fmt::format("  {:<9} {:>11}  {}", name_of(o), grouped(counts[o]), meaning(o));
        out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
}

std::string words_for(const learnt_limit& l) {
    std::string out;
    if (l.company > 0) out = fmt::format("{} requests at once", l.company);
    if (l.rate <= 0) return out;  // not known yet
    if (!out.empty()) out += " and ";
    if (l.cycle >= 1.5)
        return out + fmt::format("about {:.0f} requests in {}", l.rate * l.cycle, lasting(l.cycle));
    if (l.rate >= 10) return out + fmt::format("about {:.0f} requests a second", l.rate);
    if (l.rate >= 0.1) return out + fmt::format("about {:.1f} requests a minute", l.rate * 60);
    return out + fmt::format("about {:.1f} requests an hour", l.rate * 3600);
}

std::string next_steps(const run_summary& s) {
    const auto journal = shell_word(s.journal);
    std::string out;
    if (s.counts[outcome::pending] > 0 || s.counts[outcome::in_doubt] > 0)
        out +=
            fmt::format("  muster resume {}    goes on where it stopped{}\n", journal,
                        s.counts[outcome::in_doubt] > 0 ? "; asks the service about the rows in doubt" : "");
    const bool unfinished = !out.empty();
    std::string failed;
    for (const outcome o :
         {outcome::rejected, outcome::blocked, outcome::exhausted, outcome::in_doubt, outcome::invalid})
        if (s.counts[o] > 0) failed += fmt::format("{}{}", failed.empty() ? "" : ",", name_of(o));
    if (failed.empty()) return out;
    out += fmt::format("  muster report {} --only {}    says why, row by row\n", journal, failed);
    if (!unfinished)
        out += fmt::format(
            "  muster report {} --only {} --as-job -o FILE    writes those rows as a job to mend and run\n",
            journal, failed);
    return out;
}

std::string summary_text(const run_summary& s) {
    std::string out;
    if (s.stopped)
        out += fmt::format("{}: stopped after {}: {}\n", s.job, lasting(s.seconds),
                           s.stop_message.empty() ? std::string(words_for(*s.stopped)) : s.stop_message);
    else
        out += fmt::format("{}: finished in {}\n", s.job, lasting(s.seconds));
    out += counts_text(s.counts);
    out += fmt::format("  {} of the job; {}, {}, {} throttled; journal {}\n", counted(s.rows, "row"),
                       counted(s.statistics.requests, "request"),
                       s.statistics.retries == 1 ? "1 retry" : grouped(s.statistics.retries) + " retries",
                       grouped(s.statistics.throttled), s.journal);
    if (s.limit && !words_for(*s.limit).empty()) {
        const double share = s.statistics.requests == 0 ? 0
                                                        : 100 * static_cast<double>(s.statistics.throttled) /
                                                              static_cast<double>(s.statistics.requests);
        out += fmt::format("  the service allows {}; {:.1f}% of the requests were throttled",
                           words_for(*s.limit), share);
        out += s.limit_used
                   ? fmt::format(", {:.0f}% of the limit was used\n", std::min(100.0, 100 * *s.limit_used))
                   : "\n";
    }
    if (const auto next = next_steps(s); !next.empty()) out += "Next:\n" + next;
    return out;
}

std::string summary_json(const run_summary& s) {
    std::string out = "{\"outcomes\":{";
    for (std::size_t i = 0; i < outcome_count; ++i) {
        const auto o = static_cast<outcome>(i);
        out += fmt::format("{}\"{}\":{}", i == 0 ? "" : ",", name_of(o), s.counts[o]);
    }
    out += fmt::format(
        "}},\"rows\":{},\"requests\":{},\"retries\":{},\"throttled\":{},\"seconds\":{:.3f},\"journal\":",
        s.rows, s.statistics.requests, s.statistics.retries, s.statistics.throttled, s.seconds);
    append_json_string(out, s.journal);
    if (s.limit) {
        out += fmt::format(R"(,"limit":{{"rate":{:.3f},"burst":{:.0f},"cycleSeconds":{:.3f},"atOnce":{})",
                           s.limit->rate, s.limit->burst, s.limit->cycle, s.limit->company);
        if (s.limit_used) out += fmt::format(",\"used\":{:.3f}", *s.limit_used);
        out += "}";
    }
    if (s.stopped) {
        out += fmt::format(",\"stopped\":\"{}\",\"message\":", camel(*s.stopped));
        append_json_string(out, s.stop_message);
    }
    return out + "}";
}

std::string error_json(const std::string& message, int exit_code) {
    std::string out = "{\"error\":";
    append_json_string(out, message);
    return out + fmt::format(",\"exitCode\":{}}}", exit_code);
}

}  // namespace muster
