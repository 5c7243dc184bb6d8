// The flags of run, which resume takes too: those that are given there replace the ones the journal
// remembers.
#pragma once

#include "cli/command_line.hpp"
#include "cli/console.hpp"
#include "engine/run_settings.hpp"

#include <optional>
#include <string>

namespace muster {

class run_options {
  public:
    void declare(const command& flags);
    /// Puts what was given into `settings`, paths made absolute. Fails (usage).
    [[nodiscard]] result<void> apply(run_settings& settings) const;
    /// As given, perhaps with a password in it; the settings have it without.
    [[nodiscard]] const std::string& proxy() const noexcept { return proxy_; }

  private:
    std::optional<command> flags_;
    std::string credentials_, base_url_, ca_file_, proxy_;
    unsigned concurrency_ = 0;
    std::string max_rate_;
    std::string max_share_;
    unsigned max_attempts_ = 0;
    std::string stop_after_failures_, connect_timeout_, request_timeout_, outage_timeout_;
    bool skip_invalid_ = false;
    std::string output_, log_format_;
    bool no_progress_ = false;
};

}  // namespace muster
