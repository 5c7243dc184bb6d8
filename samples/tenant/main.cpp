// muster-tenant: a sandbox tenant of the Cloud Administration API. Exit codes: 0 done, 1 failed, 2 wrong
// usage.
#include "samples/tenant/commands.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
    CLI::App app{"A sandbox tenant of the Cloud Administration API, for trying and testing.",
                 "muster-tenant"};
    app.require_subcommand(1);
    tenant::Run run;
    tenant::add_init(app, run);
    tenant::add_serve(app, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        return run();
    } catch (const tenant::UsageError& error) {
        fmt::print(stderr, "muster-tenant: {}\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "muster-tenant: {}\n", error.what());
        return 1;
    }
}
