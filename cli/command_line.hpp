// The command line as the commands see it: flags bound to variables, with their checks. CLI11, which does the
// work, stays behind it: it is a large header, and one file has to read it instead of every command's.
#pragma once

#include "cli/exit_codes.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace muster {

/// One command's flags. The variables must live until the command line was run.
class command {
  public:
    explicit command(CLI::App& app) : app_(&app) {}

    /// Examples and notes below the help.
    void footer(const char* text);
    /// An argument that must be given.
    void argument(const char* name, std::string& to, const char* help);
    /// A flag with a value; `type` stands for it in the help. With `choices` no other value is taken.
    void value(const char* name, std::string& to, const char* type, const char* help,
               const std::vector<std::string>& choices = {});
    /// A flag with a value that an environment variable can give too.
    void value_or_variable(const char* name, const char* variable, std::string& to, const char* type,
                           const char* help);
    void number(const char* name, unsigned& to, const char* help, unsigned least, unsigned most);
    void number(const char* name, std::size_t& to, const char* help);
    /// A flag that can be repeated.
    void values(const char* name, std::vector<std::string>& to, const char* type, const char* help);
    void toggle(const char* name, bool& to, const char* help);
    /// --config: a file with further flags (flag = value); those on the command line come first.
    void config(const char* help);
    /// Whether the flag was given.
    [[nodiscard]] bool given(const char* name) const;
    /// What the command does once its flags are read.
    void action(std::function<exit_code()> run);

  private:
    friend class command_line;
    CLI::App* app_;
    exit_code* exit_ = nullptr;
};

class command_line {
  public:
    command_line(const char* name, const char* description, const char* footer, const std::string& version);
    ~command_line();
    command_line(const command_line&) = delete;
    command_line& operator=(const command_line&) = delete;

    command add(const char* name, const char* help);
    /// Reads the arguments and runs the command they name. Wrong usage is told on standard error, and where
    /// results are to be JSON, on standard output too: exit code 2.
    exit_code run(int argc, char** argv);

  private:
    void check_command(const std::vector<std::string>& arguments) const;

    std::unique_ptr<CLI::App> app_;
    exit_code exit_ = exit_code::done;
};

}  // namespace muster
