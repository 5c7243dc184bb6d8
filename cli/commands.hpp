// The commands, one file each. Every add_… declares a command's help, flags and checks on the application and
// runs it when it is the one that was called; its exit code goes to `exit`.
#pragma once

#include "cli/exit_codes.hpp"

#include <CLI/CLI.hpp>

namespace muster {

void add_plan(CLI::App& app, exit_code& exit);
void add_run(CLI::App& app, exit_code& exit);
void add_resume(CLI::App& app, exit_code& exit);
void add_status(CLI::App& app, exit_code& exit);
void add_report(CLI::App& app, exit_code& exit);
void add_verify(CLI::App& app, exit_code& exit);

}  // namespace muster
