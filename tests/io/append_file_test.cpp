#include "io/append_file.hpp"

#include "tests/support/scratch_directory.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/resource.h>
#include <unistd.h>

using namespace muster;

namespace {

std::string content_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

}  // namespace

TEST_CASE("append file: batches come to the file in order, and each is told when it is durable") {
    const test::scratch_directory folder;
    const auto path = folder / "log";
    boost::asio::io_context context;
    std::string expected;
    {
        append_file file(context.get_executor(), ::open(path.c_str(), O_CREAT | O_WRONLY, 0600), "log");
        int batches = 0;
        std::function<void()> next = [&] {
            const std::string batch = "batch " + std::to_string(batches) + "\n";
            expected += batch;
            file.append(batch, [&](result<void> outcome, std::string buffer) {
                CHECK(outcome.has_value());
                CHECK(buffer == "batch " + std::to_string(batches) + "\n");
                CHECK_FALSE(file.busy());
                if (++batches < 50) next();
            });
            CHECK(file.busy());
        };
        next();
        context.run();
        CHECK(batches == 50);
    }
    CHECK(content_of(path) == expected);
}

TEST_CASE("append file: deleted meanwhile, it is written anew, and that is told as a failure") {
    const test::scratch_directory folder;
    const auto path = folder / "a.journal";
    const std::string before(600'000, 'b');
    for (const bool in_the_way : {false, true}) {
        boost::asio::io_context context(1);
        {
            const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
            REQUIRE(fd >= 0);
            append_file file(context.get_executor(), fd, path);
            std::string told;
            const auto append = [&](const std::string& bytes) {
                told.clear();
                file.append(bytes,
                            [&](result<void> done, std::string) { told = done ? "" : done.error().message; });
                context.restart();
                context.run();
            };
            append(before);
            CHECK(told.empty());
            ::unlink(path.c_str());
            if (in_the_way) std::ofstream(path) << "another's";
            append("end");
            CHECK(told.find("was deleted while the run went on") != std::string::npos);
            CHECK(told.find(in_the_way ? "lost" : "written there anew") != std::string::npos);
        }
        CHECK(content_of(path) == (in_the_way ? "another's" : before + "end"));
        ::unlink(path.c_str());
    }
}

TEST_CASE("append file: a full disk is told, with the file's name") {
    const test::scratch_directory folder;
    const auto path = folder / "log";
    boost::asio::io_context context;
    std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit before {};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const struct rlimit small { 1000, before.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &small);
    {
        append_file file(context.get_executor(), ::open(path.c_str(), O_CREAT | O_WRONLY, 0600), "the-log");
        bool told = false;
        file.append(std::string(5000, 'x'), [&](result<void> outcome, std::string) {
            told = true;
            REQUIRE(outcome.has_error());
            CHECK(outcome.error().is(errc::storage));
            CHECK(outcome.error().message.find("the-log") != std::string::npos);
        });
        context.run();
        CHECK(told);
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
}
