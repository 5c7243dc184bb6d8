// The dice: each fault has its share, the seed decides the sequence, and specifications are judged whole.
#include "samples/tenant/faults.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace tenant;
using namespace std::chrono_literals;

namespace {

FaultSpec fault_of(const std::string& text) {
    const auto fault = parse_fault(text);
    REQUIRE_MESSAGE(fault.has_value(), text);
    return *fault;
}

}  // namespace

TEST_CASE("faults: every fault gets its share, and no request two") {
    FaultDice dice({fault_of("500:10%"), fault_of("reset-before:5%"), fault_of("reset-after:2.5%"),
                    fault_of("stall:1%:3s"), fault_of("garbage:20%"), fault_of("latency:5ms")},
                   7);
    std::map<FaultKind, int> seen;
    constexpr int rolls = 100'000;
    for (int i = 0; i < rolls; ++i) {
        const auto plan = dice.roll();
        ++seen[plan.kind];
        CHECK(plan.delay == (plan.kind == FaultKind::stall ? 3s + 5ms : 5ms));
    }
    const auto near = [&](FaultKind kind, double share) {
        CHECK(seen[kind] == doctest::Approx(share * rolls).epsilon(0.1));
    };
    near(FaultKind::internal_error, 0.10);
    near(FaultKind::reset_before, 0.05);
    near(FaultKind::reset_after, 0.025);
    near(FaultKind::stall, 0.01);
    near(FaultKind::garbage, 0.20);
    near(FaultKind::none, 0.615);
}

TEST_CASE("faults: the same seed rolls the same, another seed differently") {
    const std::vector<FaultSpec> faults{fault_of("500:50%")};
    FaultDice one(faults, 1), same(faults, 1), other(faults, 2);
    int differences = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto kind = one.roll().kind;
        CHECK(same.roll().kind == kind);
        differences += other.roll().kind != kind ? 1 : 0;
    }
    CHECK(differences > 300);
}

TEST_CASE("faults: a hundred percent is always, none is never") {
    FaultDice always({fault_of("reset-after:100%")}, 3);
    FaultDice never({}, 3);
    for (int i = 0; i < 1000; ++i) {
        CHECK(always.roll().kind == FaultKind::reset_after);
        CHECK(never.roll().kind == FaultKind::none);
    }
}

TEST_CASE("faults: shares beyond the whole do not fit") {
    CHECK(FaultDice::shares_fit({fault_of("500:60%"), fault_of("garbage:40%"), fault_of("latency:1ms")}));
    CHECK_FALSE(FaultDice::shares_fit({fault_of("500:60%"), fault_of("garbage:41%")}));
}

TEST_CASE("faults: specifications that are read") {
    CHECK(fault_of("stall:1%:2.5s").span == 2500ms);
    CHECK(fault_of("latency:20ms").span == 20ms);
    CHECK(fault_of("500:0.5%").share == doctest::Approx(0.005));
}

TEST_CASE("faults: specifications that are refused, with a reason") {
    for (const std::string text : {"",
                                   "500",
                                   "500:",
                                   "500:5",
                                   "500:0%",
                                   "500:101%",
                                   "500:-1%",
                                   "500:x%",
                                   "500:5%:1s",
                                   "404:5%",
                                   "stall:5%",
                                   "stall:5%:1",
                                   "stall:5%:0s",
                                   "stall:5%:1ms:",
                                   "latency:5%",
                                   "latency:0ms",
                                   "latency:5s",
                                   "latency",
                                   "reset:5%",
                                   "reset-before:5%:1s",
                                   "garbage",
                                   "500: 5%",
                                   "500:5%,500:5%"}) {
        CAPTURE(text);
        const auto fault = parse_fault(text);
        CHECK_FALSE(fault.has_value());
        if (!fault) CHECK_FALSE(fault.error().message.empty());
    }
}
