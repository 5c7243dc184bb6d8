// `muster-tenant serve`: help, validation and run; its flags are declared in main.cpp.
#include "samples/tenant/commands.hpp"
#include "samples/tenant/server.hpp"
#include "samples/tenant/tenant_dir.hpp"

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace tenant {

const char* const serve_examples = R"(
Limits (repeatable; all apply together):
  bucket:RATE/s:BURST     a token bucket              window:N/SECONDSs    fixed windows
  concurrent:N            so many requests at once    sliding:N/SECONDSs   a sliding window
  suffixes: ,retry-after=seconds|date|none  ,headers  (X-RateLimit-*, the reset in epoch seconds;
  ,headers=delta and ,headers=epoch-ms tell it in seconds to go or epoch milliseconds)

Faults (repeatable; shares are of all API requests and may add up to 100%):
  500:P%                  answers 500, nothing applied
  reset-before:P%         drops the connection, nothing applied
  reset-after:P%          applies, then drops the connection without a reply
  garbage:P%              answers 200 with something that is not the promised JSON, nothing applied
  stall:P%:SECONDSs       waits, then serves the request as usual
  latency:MILLISms        serves every request so much later

Examples:
  muster-tenant serve acme
  muster-tenant serve acme --listen 127.0.0.1:0 --limit bucket:500/s:50,headers
  muster-tenant serve acme --limit window:1000/10s,retry-after=date --fault 500:2% --fault reset-after:1%)";

namespace {

/// `HOST:PORT` with an IP address, `[::1]:PORT`, or `localhost:PORT`.
void parse_listen(const std::string& text, ServerOptions& server) {
    const auto colon = text.rfind(':');
    const auto bad = UsageError(
        fmt::format("--listen {}: expected ADDRESS:PORT, such as 127.0.0.1:8443 or [::1]:0", text));
    if (colon == std::string::npos) throw bad;
    server.host = text.substr(0, colon);
    if (server.host.starts_with('[') && server.host.ends_with(']')) {
        server.host = server.host.substr(1, server.host.size() - 2);
    }
    if (server.host == "localhost") server.host = "127.0.0.1";
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, server.port);
    if (error != std::errc{} || stop != end) throw bad;
    boost::system::error_code no_address;
    boost::asio::ip::make_address(server.host, no_address);
    if (no_address) throw bad;
}

Service::Options parse_service(const ServeOptions& options) {
    Service::Options service{.limits = {}, .faults = {}, .seed = options.seed};
    for (const auto& text : options.limits) {
        const auto limit = parse_limit(text);
        if (!limit) throw UsageError(fmt::format("--limit {}: {}", text, limit.error().message));
        service.limits.push_back(*limit);
    }
    for (const auto& text : options.faults) {
        const auto fault = parse_fault(text);
        if (!fault) throw UsageError(fmt::format("--fault {}: {}", text, fault.error().message));
        service.faults.push_back(*fault);
    }
    if (!FaultDice::shares_fit(service.faults)) {
        throw UsageError("the shares of all --fault together are more than 100%");
    }
    return service;
}

/// Each connection takes a descriptor; the usual soft limit of 1024 is too few.
void allow_many_connections() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run_serve(const ServeOptions& options) {
    const TenantFiles files(options.directory);
    ServerOptions server{.certificate = files.certificate, .key = files.key};
    parse_listen(options.listen, server);
    const auto service_options = parse_service(options);
    if (!std::filesystem::exists(files.database)) {
        throw DirectoryError(fmt::format("there is no tenant in {}; make one with: muster-tenant init {}",
                                         options.directory, options.directory));
    }
    const TenantLock lock(files.lock);
    fmt::print(stderr,
               "muster-tenant: this is a sandbox, for trying and testing; it guards no real tokens.\n");
    if (!boost::asio::ip::make_address(server.host).is_loopback()) {
        fmt::print(stderr, "muster-tenant: warning: {} can be reached from other machines.\n", server.host);
    }
    allow_many_connections();
    Store store(files.database, options.sync == "full" ? Sync::full : Sync::normal);
    Service service(store.load(), service_options);
    serve(service, store, server, [](const std::string& address) {
        fmt::print("listening on https://{}\n", address);
        std::fflush(stdout);
    });
    return 0;
}

}  // namespace tenant
