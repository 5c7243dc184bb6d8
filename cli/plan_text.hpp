// A plan in words and as JSON: what the job would do, and what is wrong with it.
#pragma once

#include "io/survey.hpp"

#include <optional>
#include <string>

namespace muster {

/// `max_rate`: the user's ceiling for the estimate, requests a second.
std::string plan_text(const std::string& job, const survey& s, std::optional<double> max_rate);
std::string plan_json(const std::string& job, const survey& s);

/// "FILE:LINE: reason" for each invalid row that is listed, and how many more there are.
std::string invalid_rows_text(const std::string& job, const plan& p);

}  // namespace muster
