// `muster-tenant init`: help, flags, run.
#include "samples/tenant/commands.hpp"
#include "samples/tenant/tenant_dir.hpp"

#include <fmt/format.h>

#include <memory>
#include <string>

namespace tenant {
namespace {

constexpr const char* examples = R"(
Examples:
  muster-tenant init acme
  muster-tenant init acme --users 100 --tokens 300 --devices 50 --seed 7

Makes tenant.db, ca.pem and a server certificate, help-desk.key and super-admin.key (API keys), and users.csv,
tokens.csv and devices.csv to make jobs from. The same seed gives the same tenant; its keys are always new.)";

constexpr std::size_t most = 10'000'000;

struct Options {
    std::string directory;
    PopulationOptions population;
};

int run_init(const Options& options) {
    init_tenant(options.directory, options.population);
    const auto& made = options.population;
    fmt::print(
        "made a sandbox tenant in {}: {} users, {} tokens, {} devices\nserve it with: muster-tenant serve "
        "{}\n",
        options.directory, made.users, made.tokens, made.users == 0 ? 0 : made.devices, options.directory);
    return 0;
}

}  // namespace

void add_init(CLI::App& app, Run& run) {
    auto* command = app.add_subcommand("init", "Make a new sandbox tenant in a directory");
    auto options = std::make_shared<Options>();
    command->footer(examples);
    command->add_option("DIR", options->directory, "Directory of the tenant; made if it does not exist")
        ->required();
    command->add_option("--users", options->population.users, "Number of users")
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{0}, most));
    command->add_option("--tokens", options->population.tokens, "Number of SecurID 700 tokens")
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{0}, most));
    command->add_option("--devices", options->population.devices, "Number of DS100 devices")
        ->capture_default_str()
        ->check(CLI::Range(std::size_t{0}, most));
    command->add_option("--seed", options->population.seed, "Seed of everything but the keys")
        ->capture_default_str();
    command->callback([options, &run] { run = [options] { return run_init(*options); }; });
}

}  // namespace tenant
