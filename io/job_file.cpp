// See the header. A job must be readable more than once (plan, run, resume, report) and tell whether it is
// still the same: hence regular files only, read by position, so that several passes can be under way on one
// open file.
#include "io/job_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace muster {
namespace {

error bad(const std::string& name, std::string_view what) {
    return {errc::bad_job, fmt::format("{}: {}", name, what)};
}

struct known_ending {
    std::string_view ending;
    std::optional<job_format> format;
    std::string_view advice;  ///< where it is no job file's
};

constexpr std::array<known_ending, 9> endings{{
    {".csv", job_format::csv, {}},
    {".jsonl", job_format::jsonl, {}},
    {".ndjson", job_format::jsonl, {}},
    {".json", {}, "a job in JSON has one object a line; if this file has, add --format jsonl"},
    {".tsv", {}, "fields must be separated by commas; save it as CSV"},
    {".xlsx", {}, "this is a workbook; save the sheet as \"CSV UTF-8\""},
    {".xls", {}, "this is a workbook; save the sheet as \"CSV UTF-8\""},
    {".gz", {}, "the file is compressed; unpack it first, or pipe it: zcat FILE | muster run -"},
    {".zip", {}, "the file is an archive; unpack it first"},
}};

result<job_format> format_by_name(const std::string& name) {
    std::string ending = std::filesystem::path(name).extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const known_ending& known : endings) {
        if (ending != known.ending) continue;
        if (known.format) return *known.format;
        return bad(name, known.advice);
    }
    return bad(name,
               "the name does not tell the format (.csv, .jsonl or .ndjson); add --format csv or "
               "--format jsonl");
}

std::string absolute(const std::string& name) {
    std::error_code failed;
    const auto real = std::filesystem::canonical(name, failed);
    return failed ? std::filesystem::absolute(name, failed).string() : real.string();
}

result<void> check_kind(const std::string& name, const struct stat& about) {
    if (S_ISDIR(about.st_mode)) return bad(name, "is a directory, not a job file");
    if (!S_ISREG(about.st_mode)) {
        return bad(name, fmt::format("is not a regular file and can be read only once; give it as standard "
                                     "input: muster run - < {}",
                                     name));
    }
    if (about.st_size == 0)
        return bad(name, "the file is empty; a job file has a header row or JSON objects");
    return {};
}

class file_pass final : public job_file::pass {
  public:
    file_pass(int fd, const std::string& name, std::string path, job_format format, hashing hashed)
        : path_(std::move(path)),
          source_(fd, name, hashed),
          reader_(format == job_format::csv ? make_csv_reader(source_, name)
                                            : make_jsonl_reader(source_, name)) {}

    record_reader& records() noexcept override { return *reader_; }
    byte_source& bytes() noexcept override { return source_; }
    std::uint64_t bytes_read() const noexcept override { return source_.bytes_read(); }
    job_identity identity() const override { return {path_, source_.bytes_read(), source_.sha256()}; }

  private:
    std::string path_;
    file_source source_;
    std::unique_ptr<record_reader> reader_;
};

}  // namespace

struct job_file::impl {
    std::string name;
    std::string path;
    std::uint64_t size = 0;
    job_format format = job_format::csv;
    int fd = -1;

    impl() = default;
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;
    ~impl() {
        if (fd >= 0) ::close(fd);
    }
};

job_file::job_file(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
job_file::job_file(job_file&&) noexcept = default;
job_file& job_file::operator=(job_file&&) noexcept = default;
job_file::~job_file() = default;

result<job_file> job_file::open(const std::string& path, std::optional<job_format> format) {
    auto file = std::make_unique<impl>();
    file->name = path;
    // Opening a FIFO would wait for a writer otherwise; a regular file does not care.
    file->fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about {};
    if (file->fd < 0 || ::fstat(file->fd, &about) != 0) {
        return bad(path, fmt::format("cannot be opened: {}", std::generic_category().message(errno)));
    }
    if (auto checked = check_kind(path, about); !checked) return checked.error();
    if (!format) {
        const auto by_name = format_by_name(path);
        if (!by_name) return by_name.error();
        format = *by_name;
    }
    (void)::posix_fadvise(file->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    file->format = *format;
    file->size = static_cast<std::uint64_t>(about.st_size);
    file->path = absolute(path);
    return job_file(std::move(file));
}

const std::string& job_file::name() const noexcept {
    return impl_->name;
}
std::string job_file::path() const {
    return impl_->path;
}
job_format job_file::format() const noexcept {
    return impl_->format;
}
std::uint64_t job_file::size() const noexcept {
    return impl_->size;
}

std::unique_ptr<job_file::pass> job_file::start_pass(hashing hashed) const {
    return std::make_unique<file_pass>(impl_->fd, impl_->name, impl_->path, impl_->format, hashed);
}

result<std::string> job_file::hash() const {
    file_source source(impl_->fd, impl_->name, hashing::on);
    std::vector<char> chunk(256 * 1024);
    while (true) {
        const auto read = source.read(chunk);
        if (!read) return read.error();
        if (*read == 0) return source.sha256();
    }
}

}  // namespace muster
