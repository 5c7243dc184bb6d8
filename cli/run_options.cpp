#include "cli/run_options.hpp"

#include "cli/values.hpp"

#include <filesystem>

namespace muster {
namespace {

std::string absolute(const std::string& path) {
    return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
}

// http://user:password@proxy:3128 without the user and password: the journal keeps no secret.
std::string without_userinfo(const std::string& url) {
    const auto scheme = url.find("://");
    const auto start = scheme == std::string::npos ? 0 : scheme + 3;
    const auto at = url.rfind('@', url.find('/', start));
    if (at == std::string::npos || at < start) return url;
    return url.substr(0, start) + url.substr(at + 1);
}

}  // namespace

void run_options::declare(const command& flags) {
    command& f = flags_.emplace(flags);
    f.value_or_variable("--credentials", "MUSTER_CREDENTIALS", credentials_, "FILE",
                        "The key file that the administrator downloaded");
    f.number("--concurrency", concurrency_, "Connections at most (32)", 1, 1024);
    f.value("--max-rate", max_rate_, "N/s", "Requests a second at most, whatever the service allows");
    f.value("--max-share", max_share_, "PERCENT",
            "Use so much of the service's limit at most and leave the rest to others (100)");
    f.number("--max-attempts", max_attempts_,
             "Tries for each row where the server or network fails (6); being throttled uses none up", 1,
             1000);
    f.value("--stop-after-failures", stop_after_failures_, "N|P%",
            "Stop when so many rows, or so large a share of the finished ones, failed");
    f.value("--base-url", base_url_, "URL", "Connect here instead of the key file's adminRestApiUrl");
    f.value("--ca-file", ca_file_, "PEM", "Trust the certificates in this file instead of the system's");
    f.value("--proxy", proxy_, "URL", "HTTP proxy to connect through (else HTTPS_PROXY and NO_PROXY count)");
    f.value("--connect-timeout", connect_timeout_, "TIME", "For name look-up, connection and TLS (10s)");
    f.value("--request-timeout", request_timeout_, "TIME", "For a request and its reply (30s)");
    f.value("--outage-timeout", outage_timeout_, "TIME",
            "How long to wait for a service that cannot be reached any more (5min)");
    f.toggle("--skip-invalid", skip_invalid_,
             "Leave rows that break a rule out, instead of refusing the job");
    f.value("--output", output_, "FORMAT", "Results on standard output: text or json (text)",
            {"text", "json"});
    f.value("--log-format", log_format_, "FORMAT", "Log on standard error: text or json (text)",
            {"text", "json"});
    f.toggle("--no-progress", no_progress_, "No progress line and no progress log");
}

result<void> run_options::apply(run_settings& s) const {
    const auto given = [this](const char* name) { return flags_->given(name); };
    if (given("--output")) s.output = output_;  // first: how a failure is told depends on it
    if (given("--log-format")) s.log_format = log_format_;
    if (!credentials_.empty()) s.credentials = absolute(credentials_);
    if (given("--base-url")) s.base_url = base_url_;
    if (given("--ca-file")) s.ca_file = absolute(ca_file_);
    if (given("--proxy")) s.proxy = without_userinfo(proxy_);
    if (given("--concurrency")) s.concurrency = concurrency_;
    if (given("--max-attempts")) s.max_attempts = max_attempts_;
    if (given("--max-rate")) {
        const auto rate = parse_rate("--max-rate", max_rate_);
        if (!rate) return rate.error();
        s.max_rate = *rate;
    }
    if (given("--max-share")) {
        const auto share = parse_share("--max-share", max_share_);
        if (!share) return share.error();
        s.max_share = *share;
    }
    if (given("--stop-after-failures")) {
        const auto limit = parse_failure_limit(stop_after_failures_);
        if (!limit) return limit.error();
        s.stop_after_failures = stop_after_failures_;
    }
    for (const auto& [name, text, to] :
         {std::tuple{"--connect-timeout", &connect_timeout_, &s.connect_timeout},
          std::tuple{"--request-timeout", &request_timeout_, &s.request_timeout},
          std::tuple{"--outage-timeout", &outage_timeout_, &s.outage_timeout}}) {
        if (!given(name)) continue;
        const auto time = parse_time(name, *text);
        if (!time) return time.error();
        *to = *time;
    }
    if (skip_invalid_) s.skip_invalid = true;
    if (no_progress_) s.progress = false;
    return {};
}

}  // namespace muster
