// `muster-tenant init`: help and run; its flags are declared in main.cpp.
#include "samples/tenant/commands.hpp"
#include "samples/tenant/tenant_dir.hpp"

#include <fmt/format.h>

#include <string>

namespace tenant {

const char* const init_examples = R"(
Examples:
  muster-tenant init acme
  muster-tenant init acme --users 100 --tokens 300 --devices 50 --seed 7

Makes tenant.db, ca.pem and a server certificate, help-desk.key and super-admin.key (API keys), and users.csv,
tokens.csv and devices.csv to make jobs from. The same seed gives the same tenant; its keys are always new.)";

int run_init(const InitOptions& options) {
    init_tenant(options.directory, options.population);
    const auto& made = options.population;
    fmt::print(
        "made a sandbox tenant in {}: {} users, {} tokens, {} devices\nserve it with: muster-tenant serve "
        "{}\n",
        options.directory, made.users, made.tokens, made.users == 0 ? 0 : made.devices, options.directory);
    return 0;
}

}  // namespace tenant
