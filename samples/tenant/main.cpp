// muster-tenant: a sandbox tenant of the Cloud Administration API. Exit codes: 0 done, 1 failed, 2 wrong
// usage.
#include "samples/tenant/commands.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <exception>

namespace {

void declare(CLI::App& command, tenant::InitOptions& options) {
    constexpr std::size_t most = 10'000'000;
    command.footer(tenant::init_examples);
    command.add_option("DIR", options.directory, "Directory of the tenant; made if it does not exist")
        ->required();
    command.add_option("--users", options.population.users, "Number of users")
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{0}, most));
    command.add_option("--tokens", options.population.tokens, "Number of SecurID 700 tokens")
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{0}, most));
    command.add_option("--devices", options.population.devices, "Number of DS100 devices")
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{0}, most));
    command.add_option("--seed", options.population.seed, "Seed of everything but the keys")
        ->capture_default_str();
}

void declare(CLI::App& command, tenant::ServeOptions& options) {
    command.footer(tenant::serve_examples);
    command.add_option("DIR", options.directory, "Directory that `init` made")->required();
    command.add_option("--listen", options.listen, "Address and port; port 0 picks a free one")
        ->capture_default_str();
    command.add_option("--limit", options.limits, "A limit on requests, see below")->allow_extra_args(false);
    command.add_option("--fault", options.faults, "A fault to commit, see below")->allow_extra_args(false);
    command.add_option("--seed", options.seed, "Seed of the faults' dice")->capture_default_str();
    command
        .add_option(
            "--sync", options.sync,
            "What a commit survives: normal, the end of this process, kill -9 too; full, also a power "
            "failure (an fsync for every batch)")
        ->capture_default_str()
        ->check(CLI::IsMember({"full", "normal"}));
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"A sandbox tenant of the Cloud Administration API, for trying and testing.",
                 "muster-tenant"};
    app.require_subcommand(1);
    tenant::InitOptions init_options;
    tenant::ServeOptions serve_options;
    auto* const init = app.add_subcommand("init", "Make a new sandbox tenant in a directory");
    auto* const serve = app.add_subcommand("serve", "Serve a tenant's API until SIGTERM or SIGINT");
    declare(*init, init_options);
    declare(*serve, serve_options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    try {
        return init->parsed() ? tenant::run_init(init_options) : tenant::run_serve(serve_options);
    } catch (const tenant::UsageError& error) {
        fmt::print(stderr, "muster-tenant: {}\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "muster-tenant: {}\n", error.what());
        return 1;
    }
}
