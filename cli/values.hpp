// Values that flags take in words: rates and times.
#pragma once

#include "engine/error.hpp"

#include <chrono>
#include <string>

namespace muster {

/// "100/s", "100", "6000/min", "2.5/s": requests a second. Fails (usage), naming the flag.
result<double> parse_rate(const std::string& flag, const std::string& text);

/// "60" or "60%": 1 to 100. Fails (usage), naming the flag.
result<double> parse_share(const std::string& flag, const std::string& text);

/// "30", "30s", "500ms", "5min", "1h". Fails (usage), naming the flag.
result<std::chrono::milliseconds> parse_time(const std::string& flag, const std::string& text);

}  // namespace muster
