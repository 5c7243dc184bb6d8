// The commands, one file each. Every add_… declares a command's help, flags and checks, and what it does.
#pragma once

#include "cli/command_line.hpp"

namespace muster {

void add_plan(command_line& line);
void add_run(command_line& line);
void add_resume(command_line& line);
void add_status(command_line& line);
void add_report(command_line& line);
void add_verify(command_line& line);

}  // namespace muster
