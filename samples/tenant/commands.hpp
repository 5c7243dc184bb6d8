// The commands of muster-tenant, one file each. Their flags are declared in main.cpp, which alone reads
// CLI11: a large header.
#pragma once

#include "samples/tenant/population.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace tenant {

/// The command line was understood but asks for something wrong: exit code 2.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct InitOptions {
    std::string directory;
    PopulationOptions population;
};

struct ServeOptions {
    std::string directory;
    std::string listen = "127.0.0.1:8443";
    std::vector<std::string> limits;
    std::vector<std::string> faults;
    std::uint64_t seed = 1;
    std::string sync = "normal";
};

/// What stands below the help.
extern const char* const init_examples;
extern const char* const serve_examples;

/// Both return the exit code and throw std::exception for failures.
int run_init(const InitOptions& options);
int run_serve(const ServeOptions& options);

}  // namespace tenant
