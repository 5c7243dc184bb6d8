// The network's thread and the database's: every write is committed before its waiter hears of it, in order.
#include "samples/tenant/commit_queue.hpp"

#include "samples/tenant/population.hpp"
#include "tests/tenant/temporary_directory.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace tenant;
using namespace tenant_test;

namespace {

Write numbered(int status) {
    Write write;
    write.audit.at = "2023-11-14T22:13:20.123Z";
    write.audit.admin = "someone";
    write.audit.operation = "assign";
    write.audit.http_status = status;
    return write;
}

}  // namespace

TEST_CASE("commit queue: waiters hear in order, each of a write that is committed") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "tenant.db";
    auto made = make_population({.users = 2, .tokens = 2, .devices = 2, .seed = 5});
    for (auto& admin : made.admins) admin.public_key = "PEM of " + admin.access_id;
    Store::create(file, made);
    Store store(file);
    net::io_context context;
    constexpr int writes = 300;
    std::vector<int> heard;
    {
        CommitQueue queue(context, store);
        CHECK(queue.settled());
        const auto guard = net::make_work_guard(context);
        for (int i = 0; i < writes; ++i) {
            queue.submit(numbered(i));
            CHECK_FALSE(queue.settled());
            queue.async_settled([&heard, i] { heard.push_back(i); });
            context.poll();
        }
        while (static_cast<int>(heard.size()) < writes) context.run_one();
        CHECK(queue.settled());
    }
    for (int i = 0; i < writes; ++i) CHECK(heard[static_cast<std::size_t>(i)] == i);
}
