#include "io/journal_file.hpp"

#include "tests/support/scratch_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <array>
#include <filesystem>
#include <fstream>

using namespace muster;
namespace fs = std::filesystem;

namespace {

journal_header header(std::uint64_t rows) {
    journal_header h;
    h.version = "test";
    h.created_at = *from_iso("2026-11-22T08:00:00.000Z");
    h.job_path = "/job.csv";
    h.job_name = "job.csv";
    h.job_format = "csv";
    h.job_size = rows * 100;
    h.job_sha256 = std::string(64, '0');
    h.rows = rows;
    return h;
}

void flush_all(boost::asio::io_context& context, journal_file& journal) {
    while (!journal.settled()) {
        journal.flush([](result<std::uint64_t> position) { CHECK(position.has_value()); });
        context.restart();
        context.run();
    }
}

// A journal with a session, intents of 20 rows and outcomes of the first 15, each by another administrator.
void write_sample(const std::string& path) {
    boost::asio::io_context context;
    auto journal = journal_file::create(context.get_executor(), path, header(20));
    REQUIRE(journal.has_value());
    (*journal)->session({.at = {}, .process = 1, .version = "test"});
    std::array<std::uint64_t, 20> rows{};
    for (std::uint64_t i = 0; i < 20; ++i) rows[i] = i;
    (*journal)->intents(rows);
    for (std::uint64_t i = 0; i < 15; ++i) {
        row_outcome o{.row = i, .result = outcome::applied, .status = 200, .attempts = 1};
        o.details.changed_by = "admin " + std::to_string(i);
        (*journal)->outcome(o);
    }
    flush_all(context, **journal);
}

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("journal file: made private, never over another, locked while in use") {
    const test::scratch_directory folder;
    const std::string path = folder / "j";
    boost::asio::io_context context;
    auto journal = journal_file::create(context.get_executor(), path, header(1));
    REQUIRE(journal.has_value());
    CHECK((fs::status(path).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(journal_file::create(context.get_executor(), path, header(1)).error().is(errc::journal_exists));
    journal_contents contents;
    CHECK(journal_file::resume(context.get_executor(), path, contents).error().is(errc::journal_busy));
    journal->reset();
    CHECK(journal_file::resume(context.get_executor(), path, contents).has_value());
    CHECK(journal_file::resume(context.get_executor(), folder / "none", contents)
              .error()
              .is(errc::journal_missing));
    CHECK(journal_file::resume(context.get_executor(), folder / ".", contents).has_error());
    CHECK(journal_file::create(context.get_executor(), folder / "no/j", header(1)).error().is(errc::usage));
}

TEST_CASE("journal file: cut anywhere, resumed and written on, it stays sound") {
    const test::scratch_directory folder;
    const auto path = folder / "j";
    write_sample(path);
    const std::string whole = read_file(path);
    std::size_t cases = 0, refused = 0;
    for (std::size_t length = 0; length <= whole.size(); ++length, ++cases) {
        CAPTURE(length);
        write_file(path, std::string_view(whole).substr(0, length));
        boost::asio::io_context context;
        journal_contents contents;
        auto journal = journal_file::resume(context.get_executor(), path, contents);
        if (!journal) {  // the header is not whole
            CHECK(journal.error().is(errc::journal_damaged));
            ++refused;
            continue;
        }
        row_outcome o{.row = 19, .result = outcome::already, .status = 200, .attempts = 2};
        o.details.changed_by = "admin new";
        (*journal)->outcome(o);
        flush_all(context, **journal);
        journal->reset();
        std::vector<row_outcome> seen;
        const auto again =
            read_journal(path, [&](const row_outcome& r, std::uint64_t) { seen.push_back(r); });
        REQUIRE(again.has_value());
        CHECK(again->damages.empty());
        CHECK(again->torn_bytes == 0);
        for (std::size_t i = 0; i + 1 < seen.size(); ++i)
            CHECK(seen[i].details.changed_by == "admin " + std::to_string(i));
        CHECK(seen.back().details.changed_by == "admin new");
    }
    CHECK(refused < whole.size() / 2);
    MESSAGE("cuts tried: " << cases);
}

TEST_CASE(
    "journal file: with any byte changed, it is refused or loses its tail, and never tells a wrong outcome") {
    const test::scratch_directory folder;
    const auto path = folder / "j";
    write_sample(path);
    const std::string whole = read_file(path);
    std::size_t damaged = 0, torn = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
        CAPTURE(at);
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
        write_file(path, bytes);
        const auto contents = read_journal(path, [&](const row_outcome& o, std::uint64_t) {
            CHECK(o.result == outcome::applied);
            CHECK(o.row < 15);
        });
        if (!contents) {
            CHECK(contents.error().is(errc::journal_damaged));
            ++damaged;
            continue;
        }
        if (contents->damages.empty()) {
            CHECK(contents->torn_bytes > 0);
            ++torn;
            continue;
        }
        ++damaged;
        CHECK(contents->damages.front().offset <= at);
        CHECK(contents->damages.front().offset + contents->damages.front().bytes > at);
        boost::asio::io_context context;
        journal_contents ignored;
        CHECK(journal_file::resume(context.get_executor(), path, ignored).error().is(errc::journal_damaged));
        CHECK(read_file(path) == bytes);
    }
    CHECK(torn < 60);  // only the last record
    MESSAGE("flips tried: " << damaged + torn);
}

TEST_CASE("journal file: its header alone is read as all of it is, and fails alike") {
    const test::scratch_directory folder;
    const auto path = folder / "j";
    CHECK(read_journal_header(path).error().message == read_journal(path).error().message);
    write_sample(path);
    const std::string whole = read_file(path);
    for (std::size_t length = 0; length <= whole.size(); ++length) {
        CAPTURE(length);
        write_file(path, std::string_view(whole).substr(0, length));
        const auto all = read_journal(path);
        const auto alone = read_journal_header(path);
        REQUIRE(alone.has_value() == all.has_value());
        if (all)
            CHECK(alone->job_path == all->replay.header().job_path);
        else
            CHECK(alone.error().message == all.error().message);
    }
}

TEST_CASE("journal file: a record about a row that the job does not have is damage") {
    const test::scratch_directory folder;
    const std::string path = folder / "j";
    {
        boost::asio::io_context context;
        auto journal = journal_file::create(context.get_executor(), path, header(5));
        (*journal)->outcome({.row = 5, .result = outcome::applied});
        flush_all(context, **journal);
    }
    const auto contents = read_journal(path);
    REQUIRE(contents.has_value());
    CHECK(contents->damages.size() == 1);
    CHECK(damage_text(path, *contents).find("a row that the job does not have") != std::string::npos);
}
