// How one row of a report is written: as text for people, CSV or JSONL for programs, CSV for a spreadsheet,
// or as the row of a job file that can be run again. Pure formatting, appended to a buffer.
#pragma once

#include "engine/job.hpp"
#include "engine/outcome.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace muster {

/// `spreadsheet` is CSV in which no cell is taken for a formula: a text that would be one (from the job file
/// or the service) gets an apostrophe before it. So it is not to be run again; the other kinds hold what was
/// there.
enum class report_kind : std::uint8_t { text, csv, jsonl, spreadsheet, job_csv, job_jsonl };

/// One row: what the job file says and what became of it.
struct report_row {
    const record& from;
    const row_outcome& what;
};

class report_format {
  public:
    virtual ~report_format() = default;
    virtual void begin(std::string& /*out*/) {}
    virtual void row(std::string& out, const report_row& r) = 0;
};

/// `columns`: the job file's, in order; `mapper`: for its records.
std::unique_ptr<report_format> make_report_format(report_kind kind, std::vector<std::string> columns,
                                                  row_mapper mapper);

}  // namespace muster
