#include "io/block_survey.hpp"

#include "io/csv_cutter.hpp"
#include "io/file_source.hpp"
#include "tests/support/memory_source.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/scratch_directory.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <fcntl.h>
#include <random>
#include <string>
#include <unistd.h>
#include <vector>

using namespace muster;

namespace {

/// A job with everything that blocks may be cut at: quoted line breaks, blank lines, CR LF, rows that break a
/// rule; and, where `faulty`, records that break one of CSV's.
std::string random_job(std::mt19937_64& random, bool faulty) {
    const auto one_of = [&](std::vector<std::string> texts) { return texts[random() % texts.size()]; };
    const std::string line_end = one_of({"\n", "\r\n"});
    std::string text =
        one_of({"", "\xEF\xBB\xBF", line_end, faulty ? "\r\r\n" : "", faulty ? "\n\xEF\xBB\xBF" : ""}) +
        "operation,userId,tokenSerialNumber,note" + line_end;
    for (std::size_t rows = random() % 60; rows > 0; --rows) {
        const std::string serial = fmt::format("{:012}", random() % 20);
        std::string note = one_of(
            {"", "x", "\"a,b\"", "\"two" + line_end + "lines\"", "\"a \"\" b\"", "\"\"\"\"", "\xC3\xA4"});
        if (faulty && random() % 20 == 0)
            note = one_of({"a\"b", "\"a\"b", "x,y", "\"a\nb\"\"", std::string("a\0b", 3), "\xFF", "a\rb"});
        text += fmt::format("{},{},{},{}{}", one_of({"assign", "enable", "disable", "enable", "bad"}),
                            one_of({std::string(test::user_a), std::string(test::user_b), ""}), serial, note,
                            line_end);
        if (random() % 10 == 0) text += line_end;
    }
    if (random() % 3 == 0 && !text.empty()) text.pop_back();
    return text;
}

auto listed(const plan& p) {
    std::vector<std::pair<std::uint64_t, std::string>> out;
    for (const auto& i : p.first_invalid) out.emplace_back(i.line, i.problem);
    for (const auto& c : p.first_conflicts) out.emplace_back(c.second_line, c.text());
    std::ranges::sort(out);
    return out;
}

}  // namespace

TEST_CASE("survey: read in blocks by several threads, a job comes to the same as read in order") {
    const test::scratch_directory files;
    std::mt19937_64 random(5);
    std::size_t in_blocks = 0, in_order = 0;
    for (int i = 0; i < 400; ++i) {
        CAPTURE(i);
        const bool faulty = i % 2 == 1;
        const auto path = files.write("job.csv", random_job(random, faulty));
        const auto job = job_file::open(path, {});
        REQUIRE(job.has_value());
        const auto mapper = row_mapper::create({});
        const auto expected = survey_job(*job, *mapper, 1000);
        for (const std::size_t block_bytes :
             {std::size_t{1}, std::size_t{40}, std::size_t{500}, std::size_t{100'000}}) {
            CAPTURE(block_bytes);
            const auto found =
                survey_in_blocks(*job, *mapper, 1000, static_cast<unsigned>(1 + random() % 3), block_bytes);
            if (!faulty) CHECK(found.has_value());
            ++(found ? in_blocks : in_order);
            if (!found) continue;
            REQUIRE(expected.has_value());
            CHECK(found->identity == expected->identity);
            CHECK(found->columns == expected->columns);
            CHECK(found->suspicious == expected->suspicious);
            const plan &a = found->of, &b = expected->of;
            CHECK(a.rows == b.rows);
            CHECK(a.by_operation == b.by_operation);
            CHECK(a.invalid == b.invalid);
            CHECK(a.subjects == b.subjects);
            CHECK(a.waiting_rows == b.waiting_rows);
            CHECK(a.longest_line == b.longest_line);
            CHECK(a.duplicates == b.duplicates);
            CHECK(a.contradictions == b.contradictions);
            CHECK(listed(a) == listed(b));
        }
    }
    MESSAGE(in_blocks << " surveys in blocks, " << in_order << " had to be in order");
    CHECK(in_blocks > 800);
    CHECK(in_order > 100);
}

TEST_CASE("survey: what blocks cannot say is left to reading in order") {
    const test::scratch_directory files;
    const auto mapper = row_mapper::create({});
    for (const std::string& text :
         {std::string("\n\n"), std::string("operation,userId\nassign,x\n"),
          std::string("\"operation\n\",userId\n"),
          "operation,userId,tokenSerialNumber\nenable," + std::string(test::user_a) + ",\"000000000001\n",
          "operation,userId,tokenSerialNumber\nenable," + std::string(3'000'000, 'x') + "\n"}) {
        CAPTURE(text.substr(0, 60));
        const auto job = job_file::open(files.write("job.csv", text), {});
        REQUIRE(job.has_value());
        CHECK_FALSE(survey_in_blocks(*job, *mapper, 10, 2, 1000).has_value());
    }
}

TEST_CASE("survey: what is wrong with the header is told with its line") {
    const test::scratch_directory files;
    const auto job = job_file::open(files.write("job.csv", "\n\r\noperation,userId\nassign,x\n"), {});
    REQUIRE(job.has_value());
    const auto found = survey_job(*job, *row_mapper::create({}), 10);
    REQUIRE(found.has_error());
    CHECK(found.error().message.find("job.csv:3: there is no column 'tokenSerialNumber'") !=
          std::string::npos);
}

TEST_CASE("survey: a row that is wrong but keeps CSV's rules does not stop the reading in blocks") {
    const test::scratch_directory files;
    std::string text = "operation,userId,tokenSerialNumber,note\n";
    for (int i = 0; i < 300; ++i)
        text += fmt::format("enable,{},{:012},\"a\nb\"\n", test::user_a, i) +
                (i == 100 ? "enable,\"x\"\n" : "") + (i == 200 ? "enable,\"\xFF\",1,2\n" : "");
    const auto job = job_file::open(files.write("job.csv", text), {});
    REQUIRE(job.has_value());
    const auto found = survey_in_blocks(*job, *row_mapper::create({}), 20, 2, 500);
    REQUIRE(found.has_value());
    REQUIRE(found->of.first_invalid.size() == 2);
    CHECK(found->of.first_invalid[0].line == 204);
    CHECK(found->of.first_invalid[0].problem == "has 2 fields; the header has 4");
    CHECK(found->of.first_invalid[1].line == 405);
}

TEST_CASE("survey: of many bad rows the first are listed, whichever thread read them") {
    const test::scratch_directory files;
    std::string text = "operation,userId,tokenSerialNumber\n";
    for (int i = 0; i < 5000; ++i) text += i % 7 == 0 ? "enable,nobody\n" : "enable,nobody,000000000001\n";
    const auto job = job_file::open(files.write("job.csv", text), {});
    REQUIRE(job.has_value());
    const auto found = survey_in_blocks(*job, *row_mapper::create({}), 20, 3, 2000);
    REQUIRE(found.has_value());
    CHECK(found->of.invalid == 5000);
    REQUIRE(found->of.first_invalid.size() == 20);
    for (std::size_t i = 0; i < 20; ++i) CHECK(found->of.first_invalid[i].line == i + 2);
}

TEST_CASE("survey: of many conflicts those of the first lines are listed") {
    const test::scratch_directory files;
    std::string text = "operation,userId,tokenSerialNumber\n";
    for (int i = 0; i < 3000; ++i) text += fmt::format("enable,{},{:012}\n", test::user_a, i / 2);
    const auto job = job_file::open(files.write("job.csv", text), {});
    REQUIRE(job.has_value());
    const auto mapper = row_mapper::create({});
    for (const auto& found :
         {survey_in_blocks(*job, *mapper, 20, 3, 2000).value(), *survey_job(*job, *mapper, 20)}) {
        CHECK(found.of.duplicates == 1500);
        REQUIRE(found.of.first_conflicts.size() == 20);
        for (std::size_t i = 0; i < 20; ++i) CHECK(found.of.first_conflicts[i].second_line == 2 * i + 3);
    }
}

TEST_CASE("csv_cutter: blocks end with records, hold all, and know their lines") {
    const std::string text = "a,b\n\"x\ny\",\"\"\"\n\"\nc,d\r\n\ne,\"f\"";
    for (std::size_t bytes = 1; bytes < text.size() + 2; ++bytes)
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{3}, text.size()}) {
            CAPTURE(bytes);
            test::memory_source source(text, chunk);
            csv_cutter cutter(source, bytes);
            std::string all;
            for (;;) {
                const auto b = cutter.next();
                REQUIRE(b.has_value());
                if (b->text().empty()) break;
                CHECK(b->first_line == 1 + static_cast<std::uint64_t>(std::ranges::count(all, '\n')));
                all += b->text();
                CHECK((all == text || all == "a,b\n" || all.ends_with("\"\n\"\n") || all.ends_with("d\r\n") ||
                       all.ends_with("\n\n")));
            }
            CHECK(all == text);
        }
    SUBCASE("a file that grows behind its end has ended") {
        const test::scratch_directory files;
        const auto path = files.write("job.csv", "a,b\nc,");
        const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        REQUIRE(fd >= 0);
        file_source source(fd, path, hashing::on);
        csv_cutter growing(source, 100);
        CHECK(growing.next()->text() == "a,b\n");
        REQUIRE(::pwrite(fd, "d\n", 2, 6) == 2);
        CHECK(growing.next()->text() == "c,");
        CHECK(growing.next()->text().empty());
        ::close(fd);
    }
    SUBCASE("each block can begin with the header") {
        test::memory_source source("a,b\n1,2\n3,4\n5,6", 100);
        csv_cutter with_header(source, 5);
        CHECK(with_header.next()->text() == "a,b\n");
        with_header.begin_each_with("a,b\n");
        for (const auto& [wanted, line] :
             {std::pair("a,b\n1,2\n", 2U), {"a,b\n3,4\n", 3U}, {"a,b\n5,6", 4U}, {"", 0U}}) {
            const auto b = with_header.next();
            REQUIRE(b.has_value());
            CHECK(b->text() == wanted);
            CHECK(b->first_line == line);
        }
    }
    test::memory_source failing(text, 5, 10);
    csv_cutter cutter(failing, 4);
    REQUIRE(cutter.next().has_value());
    CHECK_FALSE(cutter.next().has_value());
}
