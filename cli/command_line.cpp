#include "cli/command_line.hpp"

#include "cli/console.hpp"
#include "cli/summary.hpp"
#include "engine/text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

namespace muster {
namespace {

using words = std::vector<std::string>;

// The value that a flag has among the arguments, as "--flag value" or "--flag=value".
std::optional<std::string> value_of(const words& arguments, const std::string& flag) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == flag && i + 1 < arguments.size()) return arguments[i + 1];
        if (arguments[i].rfind(flag + "=", 0) == 0) return arguments[i].substr(flag.size() + 1);
    }
    return std::nullopt;
}

// The flags of a --config file, as arguments; those that were given already are left out. (CLI11 reads such
// files for a whole program only, not for one of its commands.)
words arguments_from(const std::string& file, const CLI::App& command, const words& given) {
    words out;
    for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_file(file)) {
        const std::string flag = "--" + item.name;
        const CLI::Option* const option = command.get_option_no_throw(flag);
        if (option == nullptr || item.name == "config" || item.name == "help")
            throw CLI::ConfigError(fmt::format("{}: '{}' is no flag of {}", file,
                                               printable(item.fullname(), 60), command.get_name()));
        const bool present = std::ranges::any_of(
            given, [&](const std::string& word) { return word == flag || word.rfind(flag + "=", 0) == 0; });
        if (present) continue;
        const bool toggle = option->get_expected_max() == 0;
        for (const std::string& input : item.inputs)
            if (!toggle)
                out.push_back(flag + "=" + input);
            else if (input == "true" || input == "1" || input == "yes" || input == "on")
                out.push_back(flag);
    }
    return out;
}

// Digits alone. Without zeros before them, which CLI11 takes for a sign of octal.
CLI::Validator whole_number() {
    const auto check = [](std::string& text) {
        if (text.empty() || text.find_first_not_of("0123456789") != text.npos)
            return fmt::format("{} is no whole number", printable(text, 60));
        text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
        return std::string();
    };
    return CLI::Validator(check, "", "");
}

}  // namespace

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
    app_->add_option(name, to, help)->transform(whole_number())->check(CLI::Range(least, most));
}

void command::number(const char* name, std::size_t& to, const char* help) {
    app_->add_option(name, to, help)->transform(whole_number());
}

void command::values(const char* name, std::vector<std::string>& to, const char* type, const char* help) {
    app_->add_option(name, to, help)->type_name(type)->expected(1)->take_all();
}

void command::toggle(const char* name, bool& to, const char* help) {
    app_->add_flag(name, to, help);
}

void command::config(const char* help) {
    app_->add_option_function<std::string>(
            "--config", [](const std::string&) {}, help)
        ->type_name("FILE");
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

void command_line::check_command(const words& arguments) const {
    if (arguments.empty() || arguments.front().rfind('-', 0) == 0) return;
    std::string names;
    for (const CLI::App* c : app_->get_subcommands([](const CLI::App*) { return true; })) {
        if (c->get_name() == arguments.front()) return;
        names += (names.empty() ? "" : ", ") + c->get_name();
    }
    throw CLI::ExtrasError(
        fmt::format("'{}' is no command; they are {}", printable(arguments.front(), 60), names),
        CLI::ExitCodes::ExtrasError);
}

exit_code command_line::run(int argc, char** argv) {
    words arguments(argv + 1, argv + argc);
    try {
        check_command(arguments);
        if (const auto file = value_of(arguments, "--config")) {
            const words more = arguments_from(*file, *app_->get_subcommand(arguments.front()), arguments);
            arguments.insert(arguments.begin() + 1, more.begin(), more.end());
        }
        app_->parse(words(arguments.rbegin(), arguments.rend()));  // CLI11 takes them last one first
    } catch (const CLI::ParseError& e) {
        if (app_->exit(e) == 0) return exit_code::done;
        if (value_of(arguments, "--output") == "json")
            print_result("{}\n", error_json(e.what(), static_cast<int>(exit_code::usage)));
        return exit_code::usage;
    }
    return exit_;
}

}  // namespace muster
