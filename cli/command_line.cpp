#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>

namespace muster {

void command::footer(const char* text) {
    app_->footer(text);
}

void command::argument(const char* name, std::string& to, const char* help) {
    app_->add_option(name, to, help)->required();
}

void command::value(const char* name, std::string& to, const char* type, const char* help,
                    const std::vector<std::string>& choices) {
    auto* const option = app_->add_option(name, to, help)->type_name(type);
    if (!choices.empty()) option->check(CLI::IsMember(choices));
}

void command::value_or_variable(const char* name, const char* variable, std::string& to, const char* type,
                                const char* help) {
    app_->add_option(name, to, help)->envname(variable)->type_name(type);
}

void command::number(const char* name, unsigned& to, const char* help, unsigned least, unsigned most) {
    app_->add_option(name, to, help)->check(CLI::Range(least, most));
}

void command::number(const char* name, std::size_t& to, const char* help) {
    app_->add_option(name, to, help);
}

void command::values(const char* name, std::vector<std::string>& to, const char* type, const char* help) {
    app_->add_option(name, to, help)->type_name(type)->expected(1)->take_all();
}

void command::toggle(const char* name, bool& to, const char* help) {
    app_->add_flag(name, to, help);
}

void command::config(const char* name, const char* help) {
    app_->set_config(name, "", help)->type_name("FILE");
}

bool command::given(const char* name) const {
    return app_->count(name) > 0;
}

void command::action(std::function<exit_code()> run) {
    app_->callback([run = std::move(run), exit = exit_] { *exit = run(); });
}

command_line::command_line(const char* name, const char* description, const char* footer,
                           const std::string& version)
    : app_(std::make_unique<CLI::App>(description, name)) {
    app_->footer(footer);
    app_->set_version_flag("--version", version);
    app_->set_help_all_flag("--help-all", "Help for all commands");
    app_->require_subcommand(1);
}

command_line::~command_line() = default;

command command_line::add(const char* name, const char* help) {
    command c(*app_->add_subcommand(name, help));
    c.exit_ = &exit_;
    return c;
}

exit_code command_line::run(int argc, char** argv) {
    try {
        app_->parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        return app_->exit(e) == 0 ? exit_code::done : exit_code::usage;
    }
    return exit_;
}

}  // namespace muster
