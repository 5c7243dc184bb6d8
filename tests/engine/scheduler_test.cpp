#include "engine/scheduler.hpp"

#include "tests/support/rows.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {
slot_id admit(scheduler& s, std::uint64_t index, const std::string& serial, bool intended = false) {
    const owned_row r(index, operation_id::enable, serial);
    return s.admit(r.view(), subject_of(r.view()), intended);
}
}  // namespace

TEST_CASE("scheduler: rows of one token go one after the other, others side by side") {
    scheduler s;
    const auto a1 = admit(s, 0, "A"), a2 = admit(s, 1, "A"), b1 = admit(s, 2, "B"), a3 = admit(s, 3, "A");
    CHECK(s.fresh() == 2);
    CHECK(s.take_fresh() == a1);
    CHECK(s.take_fresh() == b1);
    CHECK(s.settle(a1, true).empty());
    CHECK(s.fresh() == 1);
    CHECK(s.take_fresh() == a2);
    CHECK(s.settle(b1, true).empty());
    CHECK(s.fresh() == 0);
    CHECK(s.settle(a2, true).empty());
    CHECK(s.take_fresh() == a3);
    CHECK(s.settle(a3, true).empty());
    CHECK(s.size() == 0);
    const auto a4 = admit(s, 4, "A");  // the line is empty: it starts at once
    CHECK(s.take_fresh() == a4);
}

TEST_CASE("scheduler: a failure blocks all behind it, in file order, and later rows of that token") {
    scheduler s;
    const auto a1 = admit(s, 0, "A"), a2 = admit(s, 1, "A"), a3 = admit(s, 2, "A");
    s.take_fresh();
    const auto subject = s.at(a1).subject;
    CHECK(s.settle(a1, false) == std::vector{a2, a3});
    CHECK(s.failed_line(subject) == 2);
    s.release(a2);
    s.release(a3);
    CHECK(s.size() == 0);
    CHECK(s.fresh() == 0);
}

TEST_CASE("scheduler: a row parked for later does not hold up ready rows") {
    scheduler s;
    const auto a = admit(s, 0, "A", true), b = admit(s, 1, "B", true);
    const instant now{};
    CHECK(s.take_sendable() == a);
    s.delay(a, now + 10s);
    s.advance(now + 1s);
    CHECK(s.take_sendable() == b);
    CHECK(s.sendable() == 0);
    CHECK(s.next_delayed() == now + 10s);
    s.advance(now + 10s);
    CHECK(s.take_sendable() == a);
}

TEST_CASE("scheduler: a throttled row goes first again") {
    scheduler s;
    const auto a = admit(s, 0, "A", true), b = admit(s, 1, "B", true);
    CHECK(s.take_sendable() == a);
    s.put_back(a);
    CHECK(s.take_sendable() == a);
    CHECK(s.take_sendable() == b);
}

TEST_CASE(
    "scheduler: with random subjects and results, every row is settled or blocked, in file order per "
    "subject") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        scheduler s;
        std::map<std::string, std::uint64_t> last;
        std::map<std::string, bool> failed;
        std::vector<slot_id> running;
        std::uint64_t next = 0, settled = 0;
        while (settled < 300) {
            if (next < 300 && random() % 2 == 0) {
                const auto serial = std::to_string(random() % 10);
                const owned_row r(next++, operation_id::enable, serial);
                if (s.failed_line(subject_of(r.view())))
                    ++settled;
                else
                    s.admit(r.view(), subject_of(r.view()), false);
            } else if (s.fresh() > 0 && random() % 2 == 0) {
                running.push_back(s.take_fresh());
            } else if (!running.empty()) {
                const auto at = random() % running.size();
                const slot_id slot = running[at];
                running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
                const std::string serial(s.at(slot).what.subject());
                const auto index = s.at(slot).what.index();
                CHECK((last.count(serial) == 0 || last[serial] < index));
                CHECK_FALSE(failed[serial]);
                last[serial] = index;
                const bool good = random() % 10 != 0;
                failed[serial] = !good;
                ++settled;
                for (const slot_id b : s.settle(slot, good)) {
                    ++settled;
                    s.release(b);
                }
            }
        }
        CHECK(s.size() == 0);
    }
}
