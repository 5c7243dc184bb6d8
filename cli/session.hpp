// One process's work on a job, as run and resume share it: credentials, connections, pipeline, signals,
// summary.
#pragma once

#include "cli/console.hpp"
#include "cli/exit_codes.hpp"
#include "io/credentials.hpp"
#include "io/job_file.hpp"
#include "io/journal_file.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>

namespace muster {

/// What is needed to talk to the service, checked before a journal is made or a row is sent.
struct service_access {
    credentials key;
    std::shared_ptr<https_context> https;
    bool reached_before = false;  ///< it answered an earlier session of this run
};
/// `proxy` may hold a password that the settings do not. Warnings go to `out`.
result<service_access> open_service(const run_settings& settings, const std::string& proxy, console& out);

/// Works on the job until it is done or stopped, and prints the summary to standard output.
exit_code work_on(boost::asio::io_context& context, const job_file& job, row_mapper mapper,
                  journal_file& journal, const std::string& journal_path, const journal_replay& before,
                  service_access service, console& out);

/// Prints a failure to standard error and, where results are `json`, as the last line of standard output.
exit_code report_failure(const error& e, bool json, console& out);

}  // namespace muster
