#include "io/report_writer.hpp"

#include "io/append_file.hpp"
#include "io/journal_file.hpp"
#include "io/journal_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <future>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace muster {
namespace {

constexpr std::size_t write_at = 256 * 1024;

// A file's content in memory; the outcomes in it are read in the job's order, not in the file's.
class mapped_file {
  public:
    explicit mapped_file(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat info {};
        if (fd >= 0 && ::fstat(fd, &info) == 0 && info.st_size > 0) {
            size_ = static_cast<std::size_t>(info.st_size);
            data_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
        }
        if (fd >= 0) ::close(fd);
    }
    ~mapped_file() {
        if (data_ != MAP_FAILED) ::munmap(data_, size_);
    }
    mapped_file(const mapped_file&) = delete;
    mapped_file& operator=(const mapped_file&) = delete;
    [[nodiscard]] std::string_view bytes() const noexcept {
        return data_ == MAP_FAILED ? std::string_view()
                                   : std::string_view(static_cast<const char*>(data_), size_);
    }

  private:
    void* data_ = MAP_FAILED;
    std::size_t size_ = 0;
};

// What the journal says about a row, or a stand-in where it holds no outcome.
void read_outcome_of(std::uint64_t row, row_state state, std::uint64_t offset, const journal_decoder& decoder,
                     std::string_view journal, row_outcome& o) {
    const bool recorded =
        state != row_state::untouched && state != row_state::intended && state != row_state::lost;
    if (recorded && offset > 0 && decoder.outcome_at(journal, offset, o)) return;
    o = {};
    o.row = row;
    o.result = outcome_of(state);
    if (state == row_state::intended)
        o.message = "it may have been sent, and no reply is known; resume asks the service";
    if (state == row_state::lost || state == row_state::held)
        o.message = "records about it were lost with a damaged part of the journal; resume asks the service";
}

}  // namespace

result<report_result> write_report(const report_request& request, int fd, const std::string& name) {
    const auto first = read_journal_header(request.journal);
    if (!first) return first.error();
    // The job is hashed while the journal is read: on a thread, or later where none can be had.
    auto opened = std::async(std::launch::async | std::launch::deferred,
                             [&] { return open_job_of(*first, request.journal); });
    std::vector<std::uint64_t> offsets;
    const auto contents = read_journal(request.journal, [&](const row_outcome& o, std::uint64_t offset) {
        if (offsets.size() <= o.row) offsets.resize(static_cast<std::size_t>(o.row) + 1);
        offsets[static_cast<std::size_t>(o.row)] = offset;
    });
    if (!contents) return contents.error();
    if (!contents->damages.empty())
        return error(errc::journal_damaged, damage_text(request.journal, *contents));
    const journal_header& header = contents->replay.header();
    const auto& states = contents->replay.rows();
    offsets.resize(states.size());
    const auto job = opened.get();
    if (!job) return job.error();
    const auto mapper = row_mapper::create(header.mapping);
    if (!mapper) return mapper.error();

    const mapped_file journal(request.journal);
    const auto kind = !request.as_job                    ? request.kind
                      : job->format() == job_format::csv ? report_kind::job_csv
                                                         : report_kind::job_jsonl;
    const auto format = make_report_format(kind, header.columns, *mapper);
    const bool all = std::ranges::none_of(request.only, [](bool b) { return b; });
    const auto pass = job->start_pass(hashing::off);
    report_result done{.mapping = header.mapping};
    std::string out;
    format->begin(out);
    record current;
    row_outcome what;
    for (std::size_t i = 0; i < states.size(); ++i) {
        const auto got = pass->records().next(current);
        if (!got) return got.error();
        if (!*got) break;
        if (!all && !request.only[static_cast<std::size_t>(outcome_of(states[i]))]) continue;
        if (request.as_job && current.cells.empty()) {
            ++done.left_out;
            continue;
        }
        read_outcome_of(i, states[i], offsets[i], contents->decoder, journal.bytes(), what);
        format->row(out, {.from = current, .what = what});
        ++done.rows;
        if (out.size() < write_at) continue;
        if (const auto written = write_all(fd, out, name); !written) return written.error();
        out.clear();
    }
    if (const auto written = write_all(fd, out, name); !written) return written.error();
    return done;
}

}  // namespace muster
