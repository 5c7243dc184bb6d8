// The dice and the grammar of the specifications.
#include "samples/tenant/faults.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace tenant {
namespace {

constexpr std::array<std::pair<std::string_view, FaultKind>, 6> kinds{{
    {"500", FaultKind::internal_error},
    {"reset-before", FaultKind::reset_before},
    {"reset-after", FaultKind::reset_after},
    {"garbage", FaultKind::garbage},
    {"stall", FaultKind::stall},
    {"latency", FaultKind::latency},
}};

FaultKind kind_named(std::string_view name) {
    for (const auto& [known, kind] : kinds) {
        if (known == name) return kind;
    }
    return FaultKind::none;
}

BadSpec bad_form(std::string_view text) {
    return BadSpec{
        fmt::format("unknown fault '{}': expected 500:P%, reset-before:P%, reset-after:P%, "
                    "stall:P%:SECONDSs, latency:MILLISms or garbage:P%",
                    text)};
}

}  // namespace

spec_result<FaultSpec> parse_fault(std::string_view text) {
    const auto parts = split(text, ':');
    FaultSpec fault{.kind = kind_named(parts[0])};
    if (fault.kind == FaultKind::none || parts.size() != (fault.kind == FaultKind::stall ? 3U : 2U)) {
        return bad_form(text);
    }
    if (fault.kind == FaultKind::latency) {
        const auto span = parse_duration(parts[1], "ms");
        if (!span) return span.error();
        fault.span = *span;
        return fault;
    }
    const auto share = parse_percent(parts[1]);
    if (!share) return share.error();
    fault.share = *share;
    if (fault.kind == FaultKind::stall) {
        const auto span = parse_duration(parts[2], "s");
        if (!span) return span.error();
        fault.span = *span;
    }
    return fault;
}

FaultDice::FaultDice(std::vector<FaultSpec> faults, std::uint64_t seed) : random_(seed) {
    for (const auto& fault : faults) {
        if (fault.kind == FaultKind::latency) {
            latency_ += fault.span;
        } else {
            faults_.push_back(fault);
        }
    }
}

bool FaultDice::shares_fit(const std::vector<FaultSpec>& faults) {
    double sum = 0;
    for (const auto& fault : faults) sum += fault.kind == FaultKind::latency ? 0 : fault.share;
    return sum <= 1 + 1e-9;
}

FaultPlan FaultDice::roll() {
    FaultPlan plan{.delay = latency_};
    if (faults_.empty()) return plan;
    double draw = random_.share();
    plan.variety = random_.next();
    for (const auto& fault : faults_) {
        if (draw < fault.share) {
            plan.kind = fault.kind;
            plan.delay += fault.span;
            break;
        }
        draw -= fault.share;
    }
    return plan;
}

std::string_view garbage_body(std::uint64_t variety) {
    static constexpr std::array<std::string_view, 4> forms{
        "<html><body><h1>We will be back soon</h1></body></html>",
        R"({"userId":"eb2e12ae-1112-451b-98e1-dfe4e6afd60d","tokenSerial)",
        R"({"result":"ok"})",
        "",
    };
    return forms[variety % forms.size()];
}

}  // namespace tenant
