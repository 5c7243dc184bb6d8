#include "io/journal_repair.hpp"

#include "engine/journal/encoder.hpp"
#include "engine/journal/salvage.hpp"
#include "io/append_file.hpp"
#include "io/journal_job.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <variant>
#include <vector>

namespace muster {
namespace {

constexpr std::size_t write_at = 256 * 1024;
constexpr int most_originals = 1000;

// Each row's token and operation, in the job's order.
result<std::vector<line_member>> members_of(const job_file& job, const journal_header& header) {
    auto mapper = row_mapper::create(header.mapping);
    if (!mapper) return mapper.error();
    std::vector<line_member> members(static_cast<std::size_t>(header.rows));
    const auto pass = job.start_pass(hashing::off);
    record current;
    row_view r;
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto got = pass->records().next(current);
        if (!got) return got.error();
        if (!*got) return error(errc::job_changed, job.name() + ": has fewer rows than when it was checked");
        if (!mapper->map(current, i, r)) members[i] = {subject_of(r), r.operation, true};
    }
    return members;
}

// Writes the new journal in pieces.
class journal_writer {
  public:
    journal_writer(storage& disk, int fd, const std::string& path, const journal_header& header)
        : disk_(disk), fd_(fd), path_(path), encoder_(header) {}

    [[nodiscard]] journal_encoder& encoder() { return encoder_; }
    /// Later failures are ignored, the first is told by finish().
    void write_some() {
        if (written_ && encoder_.offset() - at_ >= write_at) write();
    }
    result<void> finish() {
        if (written_) write();
        if (written_ && disk_.fdatasync(fd_) != 0) written_ = storage_error(path_, "cannot be synced");
        return written_;
    }

  private:
    void write() {
        at_ = encoder_.offset();
        const auto bytes = encoder_.take();
        written_ = write_all(disk_, fd_, bytes, path_);
    }

    storage& disk_;
    int fd_;
    const std::string& path_;
    journal_encoder encoder_;
    std::uint64_t at_ = 0;
    result<void> written_;
};

struct judgement {
    std::vector<fate> fates;
    std::vector<std::uint64_t> last_outcomes;  // by row: the offset of its last outcome record
};

result<void> write_repaired(storage& disk, int from, const std::string& path, int to,
                            const std::string& to_path, const journal_header& header, const judgement& j,
                            wall_time now) {
    journal_writer writer(disk, to, to_path, header);
    journal_encoder& e = writer.encoder();
    const auto read =
        read_open_journal(disk, from, path, [&](const journal_record& record, std::uint64_t at) {
            if (const auto* session = std::get_if<session_record>(&record)) e.session(*session);
            if (const auto* limit = std::get_if<learnt_limit>(&record)) e.limit(*limit);
            if (const auto* done = std::get_if<row_outcome>(&record)) {
                const auto row = static_cast<std::size_t>(done->row);
                if (j.fates[row] == fate::keep && j.last_outcomes[row] == at) e.outcome(*done);
            }
            writer.write_some();
        });
    if (!read) return read.error();
    lost_record ask, hold{.rows = {}, .hold = true};
    for (std::size_t row = 0; row < j.fates.size(); ++row) {
        if (j.fates[row] == fate::ask) ask.rows.push_back(row);
        if (j.fates[row] == fate::hold) hold.rows.push_back(row);
        if (j.fates[row] == fate::succeeded)
            e.outcome({.row = row,
                       .result = outcome::already,
                       .at = now,
                       .details = {},
                       .message =
                           "its record was lost with a damaged part of the journal; a later line of the same "
                           "token was sent, and so it had succeeded"});
        writer.write_some();
    }
    e.lost(ask);
    e.lost(hold);
    return writer.finish();
}

// What was written, read back: sound, and no row counted otherwise than it was judged.
result<void> check_repaired(storage& disk, int fd, const std::string& path, const judgement& j) {
    const auto back = read_open_journal(disk, fd, path);
    if (!back) return back.error();
    bool right =
        back->damages.empty() && back->torn_bytes == 0 && back->replay.rows().size() == j.fates.size();
    for (std::size_t row = 0; right && row < j.fates.size(); ++row) {
        const row_state s = back->replay.rows()[row];
        switch (j.fates[row]) {
            case fate::keep: right = s != row_state::untouched && outcome_of(s) != outcome::in_doubt; break;
            case fate::unsent: right = s == row_state::untouched; break;
            case fate::succeeded: right = s == row_state::already; break;
            case fate::ask: right = s == row_state::lost; break;
            case fate::hold: right = s == row_state::held; break;
        }
    }
    if (!right) return error(errc::storage, path + ": is not what was written to it");
    return {};
}

// A further name for the damaged file; never over another.
result<std::string> keep_original(storage& disk, const std::string& path) {
    for (int n = 1; n < most_originals; ++n) {
        auto name = n == 1 ? path + ".damaged" : fmt::format("{}.damaged.{}", path, n);
        if (disk.link(path.c_str(), name.c_str()) == 0) {
            if (const auto synced = sync_folder_of(disk, path); !synced) return synced.error();
            return name;
        }
        if (errno != EEXIST) return storage_error(name, "the damaged journal cannot be kept");
    }
    return error(errc::storage, path + ".damaged: there are too many of them");
}

void count(repair_result& r, const std::vector<fate>& fates) {
    for (const fate f : fates) {
        switch (f) {
            case fate::keep: ++r.kept; break;
            case fate::unsent: ++r.unsent; break;
            case fate::succeeded: ++r.inferred; break;
            case fate::ask: ++r.asked; break;
            case fate::hold: ++r.held; break;
        }
    }
}

// The new file takes the journal's name only when it is whole, durable and read back; until then the journal
// is as it was. A crash leaves the one or the other.
result<std::string> replace(storage& disk, int from, const std::string& path, const journal_header& header,
                            const judgement& j, wall_time now) {
    const auto beside = path + ".repairing";
    disk.unlink(beside.c_str());  // of a repair that was cut off: the journal is locked, so it is nobody's
    const descriptor to(disk, disk.open(beside.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
    if (to.get() < 0) return storage_error(beside, "cannot be created");
    result<void> done;
    // Locked already when it gets the journal's name: nobody works on it before the folder is synced.
    if (disk.lock(to.get()) != 0) done = storage_error(beside, "cannot be locked");
    if (done) done = write_repaired(disk, from, path, to.get(), beside, header, j, now);
    if (done) done = check_repaired(disk, to.get(), beside, j);
    if (!done) {
        disk.unlink(beside.c_str());
        return done.error();
    }
    const auto original = keep_original(disk, path);
    if (!original || disk.rename(beside.c_str(), path.c_str()) != 0) {
        const error why = original ? storage_error(path, "cannot be replaced") : original.error();
        disk.unlink(beside.c_str());
        return why;
    }
    if (const auto synced = sync_folder_of(disk, path); !synced) return synced.error();
    return *original;
}

}  // namespace

result<repair_result> repair_journal(const std::string& path, wall_time now, storage& disk) {
    const auto opened = open_journal(disk, path, O_RDWR);
    if (!opened) return opened.error();
    const descriptor fd(disk, *opened);
    if (const auto locked = lock_journal(disk, fd.get(), path); !locked) return locked.error();
    judgement j;
    const auto contents =
        read_open_journal(disk, fd.get(), path, [&](const journal_record& record, std::uint64_t at) {
            const auto* done = std::get_if<row_outcome>(&record);
            if (done == nullptr) return;
            if (j.last_outcomes.size() <= done->row)
                j.last_outcomes.resize(static_cast<std::size_t>(done->row) + 1);
            j.last_outcomes[static_cast<std::size_t>(done->row)] = at;
        });
    if (!contents)
        return contents.error().is(errc::journal_damaged)
                   ? error(
                         errc::journal_damaged,
                         contents.error().message + "; what it belongs to is lost, and it cannot be repaired")
                   : contents.error();
    if (contents->damages.empty()) return repair_result{.was_sound = true};
    const journal_header& header = contents->replay.header();
    const auto job = open_job_of(header, path);
    if (!job) return job.error();
    const auto members = members_of(*job, header);
    if (!members) return members.error();
    j.last_outcomes.resize(members->size());
    j.fates = judge_rows(contents->replay, *members);
    auto original = replace(disk, fd.get(), path, header, j, now);
    if (!original) return original.error();
    repair_result r{.original = *original};
    count(r, j.fates);
    return r;
}

}  // namespace muster
