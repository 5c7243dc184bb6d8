// Job files and the spool of standard input, on real files, pipes and a full disk.
#include "io/job_file.hpp"

#include "io/file_source.hpp"
#include "tests/support/read_records.hpp"

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace muster;
namespace fs = std::filesystem;

namespace {

class scratch_directory {
  public:
    scratch_directory() {
        std::string name = (fs::temp_directory_path() / "muster-job-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory() { fs::remove_all(path_); }

    [[nodiscard]] std::string path(const std::string& name) const { return (path_ / name).string(); }
    std::string write(const std::string& name, std::string_view text) const {
        std::ofstream(path(name), std::ios::binary) << text;
        return path(name);
    }

  private:
    fs::path path_;
};

std::string content(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

std::string why_not(const std::string& path, std::optional<job_format> format = {}) {
    const auto file = job_file::open(path, format);
    REQUIRE(file.has_error());
    CHECK(file.error().is(errc::bad_job));
    CHECK(file.error().message.starts_with(path + ": "));
    return file.error().message;
}

/// Spools what a pipe delivers, written in pieces of `piece` bytes.
result<job_format> spool_text(const std::string& text, const std::string& spool, std::size_t piece = 65'536) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    std::thread writer([&] {
        for (std::size_t at = 0; at < text.size(); at += piece) {
            const std::string part = text.substr(at, piece);
            if (::write(ends[1], part.data(), part.size()) < 0) break;
        }
        ::close(ends[1]);
    });
    auto format = spool_standard_input(ends[0], spool);
    writer.join();
    ::close(ends[0]);
    return format;
}

}  // namespace

TEST_CASE("job file: the format comes from the extension, in any case, or from the caller") {
    const scratch_directory dir;
    const auto format = [&](const std::string& name, std::optional<job_format> given = {}) {
        const auto file = job_file::open(dir.write(name, "a\n"), given);
        REQUIRE(file.has_value());
        return file->format();
    };
    CHECK(format("a.csv") == job_format::csv);
    CHECK(format("a.b.CSV") == job_format::csv);
    CHECK(format("a.JsonL") == job_format::jsonl);
    CHECK(format("a.ndjson") == job_format::jsonl);
    CHECK(format("a.json", job_format::jsonl) == job_format::jsonl);
    CHECK(format("none", job_format::csv) == job_format::csv);
    CHECK(contains(why_not(dir.path("none")), "--format csv"));
    CHECK(contains(why_not(dir.write("a.json", "{}")), "--format jsonl"));
    CHECK(contains(why_not(dir.write("a.xlsx", "PK")), "CSV UTF-8"));
}

TEST_CASE("job file: what is no readable regular file is refused with advice, without waiting") {
    const scratch_directory dir;
    CHECK(contains(why_not(dir.path("missing.csv")), "No such file"));
    CHECK(contains(why_not(dir.path("")), "is a directory"));
    CHECK(contains(why_not(dir.write("empty.csv", "")), "is empty"));
    REQUIRE(::mkfifo(dir.path("fifo.csv").c_str(), 0600) == 0);
    CHECK(contains(why_not(dir.path("fifo.csv")), "muster run - < "));
    if (::geteuid() != 0) {
        fs::permissions(dir.write("secret.csv", "a\n"), fs::perms::none);
        CHECK(contains(why_not(dir.path("secret.csv")), "Permission denied"));
    }
}

TEST_CASE("job file: several passes at once, each with the identity of the bytes it read") {
    const scratch_directory dir;
    const auto file = job_file::open(dir.write("job.csv", "abc\n1\n2\n"), {});
    REQUIRE(file.has_value());
    CHECK(file->size() == 8);
    CHECK(file->path() == fs::canonical(dir.path("job.csv")).string());
    const auto first = file->start_pass(hashing::on);
    const auto second = file->start_pass(hashing::on);
    record each;
    for (const std::string_view want : {"1", "2"}) {
        for (const auto* pass : {&first, &second}) {
            const auto found = (*pass)->records().next(each);
            REQUIRE(found.has_value());
            REQUIRE(*found);
            CHECK(each.cells[0].text == want);
        }
    }
    const auto end = first->records().next(each);
    REQUIRE(end.has_value());
    CHECK_FALSE(*end);
    CHECK(first->bytes_read() == 8);
    CHECK(first->identity().size == 8);
    CHECK(first->identity().path == file->path());
    CHECK(first->identity().sha256 == "6d9ecfa7dc8898c38efcaeff29df2026f8e4b86500e625cfc520ea332c633aa9");
    CHECK(first->identity().sha256 == first->identity().sha256);

    const auto unhashed = file->start_pass(hashing::off);
    for (auto found = unhashed->records().next(each); found.has_value() && *found;)
        found = unhashed->records().next(each);
    CHECK(unhashed->identity().size == 8);
    CHECK(unhashed->identity().sha256.empty());
}

TEST_CASE("job file: a byte order mark, blank lines and a missing last line break belong to the identity") {
    const scratch_directory dir;
    std::vector<std::string> seen;
    for (const std::string_view text : {"a\n1\n", "a\n1",
                                        "\xEF\xBB\xBF"
                                        "a\n1\n",
                                        "a\n\n1\n", "a\n1\n\n", "a\r\n1\n"}) {
        const auto file = job_file::open(dir.write("job.csv", text), {});
        REQUIRE(file.has_value());
        const auto pass = file->start_pass(hashing::on);
        record each;
        for (auto found = pass->records().next(each); found.has_value() && *found;)
            found = pass->records().next(each);
        CHECK(pass->bytes_read() == text.size());
        for (const std::string& other : seen) CHECK(other != pass->identity().sha256);
        seen.push_back(pass->identity().sha256);
    }
}

TEST_CASE("job file: a read error names the file and the place") {
    const scratch_directory dir;
    const int directory = ::open(dir.path("").c_str(), O_RDONLY | O_CLOEXEC);
    file_source source(directory, "job.csv", hashing::on);
    std::array<char, 16> bytes{};
    const auto read = source.read(bytes);
    ::close(directory);
    REQUIRE(read.has_error());
    CHECK(read.error().is(errc::bad_job));
    CHECK(read.error().message == "job.csv: cannot be read at byte 0: Is a directory");
}

TEST_CASE("spool: copies all of it, private, and guesses the format") {
    const scratch_directory dir;
    int n = 0;
    const auto guess = [&](const std::string& text, std::size_t piece) {
        const std::string spool = dir.path("spool" + std::to_string(n++));
        const auto format = spool_text(text, spool, piece);
        REQUIRE(format.has_value());
        CHECK(content(spool) == text);
        CHECK(fs::status(spool).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
        return *format;
    };
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{65'536}}) {
        CHECK(guess("a,b\n{,}\n", piece) == job_format::csv);
        CHECK(guess("\xEF\xBB\xBF\r\n\t {\"a\":1}\n", piece) == job_format::jsonl);
        CHECK(guess("{", piece) == job_format::jsonl);
        CHECK(guess(" \n", piece) == job_format::csv);
    }
    CHECK(guess(std::string(3'000'000, 'x'), 65'536) == job_format::csv);
}

TEST_CASE("spool: a failure leaves no file behind") {
    const scratch_directory dir;
    const std::string spool = dir.path("spool");
    const auto empty = spool_text("", spool);
    REQUIRE(empty.has_error());
    CHECK(empty.error().is(errc::bad_job));
    CHECK_FALSE(fs::exists(spool));

    const auto unreadable = spool_standard_input(-1, spool);
    REQUIRE(unreadable.has_error());
    CHECK(unreadable.error().is(errc::bad_job));
    CHECK_FALSE(fs::exists(spool));

    const auto nowhere = spool_text("a\n", dir.path("no/such/directory"));
    REQUIRE(nowhere.has_error());
    CHECK(nowhere.error().is(errc::storage));
}

TEST_CASE("spool: a full disk is told and leaves no file behind") {
    const scratch_directory dir;
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{1000, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const auto full = spool_text(std::string(5000, 'x'), dir.path("spool"));
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, handler);
    REQUIRE(full.has_error());
    CHECK(full.error().is(errc::storage));
    CHECK(contains(full.error().message, "spool: the copy of standard input cannot be written: "));
    CHECK_FALSE(fs::exists(dir.path("spool")));
}

TEST_CASE("spool: an earlier spool is not touched") {
    const scratch_directory dir;
    const std::string spool = dir.write("spool", "precious");
    const auto again = spool_text("a\n", spool);
    REQUIRE(again.has_error());
    CHECK(again.error().is(errc::journal_exists));
    CHECK(content(spool) == "precious");
}
