// The commands of muster-tenant, one file each. Each adds itself to the command line and is run by its return
// value.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace tenant {

/// What a chosen command does; returns the exit code. Throws std::exception for failures.
using Run = std::function<int()>;

/// The command line was understood but asks for something wrong: exit code 2.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// Adds `init` and `serve`; each sets `run` when it is chosen.
void add_init(CLI::App& app, Run& run);
void add_serve(CLI::App& app, Run& run);

}  // namespace tenant
