// muster-sim: simulates thousands of runs against models of limits and prints how well the limit was used.
#include "tests/sim/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ranges>
#include <string>

namespace muster::sim {
namespace {

struct model {
    std::string name;
    scenario run;
    std::function<std::unique_ptr<limiter>(std::mt19937_64&, const network&)> make;
    double least_goodput;   // percent
    double most_throttled;  // percent
};

std::vector<model> models() {
    const auto uniform = [](std::mt19937_64& r, double to) {
        return std::uniform_real_distribution<double>(0, to)(r);
    };
    const auto bucket = [](double rate, double burst) {
        return [=](std::mt19937_64&, const network&) { return std::make_unique<token_bucket>(rate, burst); };
    };
    const auto window = [=](double count, double length) {
        return [=](std::mt19937_64& r, const network&) {
            return std::make_unique<fixed_window>(count, length, uniform(r, length));
        };
    };
    std::vector<model> all;
    const auto add = [&](std::string name, double duration, unsigned concurrency, hint told, auto make,
                         double goodput, double throttled) {
        scenario s;
        s.name = name;
        s.duration = duration;
        s.concurrency = concurrency;
        s.told = told;
        all.push_back({name, s, make, goodput, throttled});
    };
    add("bucket 500/s burst 50", 60, 64, hint::none, bucket(500, 50), 97, 2);
    add("bucket 20/s burst 5", 120, 64, hint::none, bucket(20, 5), 97, 2);
    add("bucket 50/s burst 10, Retry-After", 60, 64, hint::retry_after, bucket(50, 10), 95, 3);
    add(
        "cell rate 100/s tolerance 20", 60, 64, hint::none,
        [](std::mt19937_64&, const network&) { return std::make_unique<cell_rate>(100, 20); }, 95, 3);
    add("window 100/60 s", 300, 64, hint::none, window(100, 60), 95, 3);
    add("window 100/60 s, Retry-After", 300, 64, hint::retry_after, window(100, 60), 95, 3);
    add("window 100/60 s, date", 300, 64, hint::retry_date, window(100, 60), 95, 3);
    add("window 500/5 s, reset header", 60, 64, hint::reset_epoch_ms, window(500, 5), 95, 3);
    add(
        "sliding log 300/10 s", 60, 64, hint::none,
        [](std::mt19937_64&, const network&) { return std::make_unique<sliding_log>(300, 10); }, 95, 3);
    add(
        "sliding log 300/10 s, Retry-After", 60, 64, hint::retry_after,
        [](std::mt19937_64&, const network&) { return std::make_unique<sliding_log>(300, 10); }, 95, 3);
    add(
        "sliding counter 2000/10 s", 60, 64, hint::none,
        [](std::mt19937_64&, const network&) { return std::make_unique<sliding_counter>(2000, 10); }, 95, 3);
    add(
        "concurrency 8", 60, 64, hint::none,
        [](std::mt19937_64&, const network& n) { return std::make_unique<concurrency_cap>(8, n.latency); },
        95, 3);
    add(
        "concurrency 8, Retry-After", 60, 64, hint::retry_after,
        [](std::mt19937_64&, const network& n) { return std::make_unique<concurrency_cap>(8, n.latency); },
        95, 3);
    add(
        "bucket 100/s and window 2000/60 s", 120, 64, hint::none,
        [=](std::mt19937_64& r, const network&) {
            return std::make_unique<both>(std::make_unique<token_bucket>(100, 20),
                                          std::make_unique<fixed_window>(2000, 60, uniform(r, 60)));
        },
        95, 3);
    add("bucket 200/s, others take 60/s", 60, 64, hint::none, bucket(200, 20), 95, 3);
    all.back().run.other_traffic = 60;
    return all;
}

constexpr double slack = 2;  // points of goodput, for --check: one limit misses its goal by so much

double percent(double part, double whole) {
    return whole > 0 ? 100 * part / whole : 0;
}

double quantile(std::vector<double> v, double q) {
    std::ranges::sort(v);
    return v[static_cast<std::size_t>(std::round(q * static_cast<double>(v.size() - 1)))];
}

double latency_of(std::mt19937_64& random) {
    return std::exp(std::uniform_real_distribution<double>(std::log(0.001), std::log(2.0))(random));
}

double share_of(const tally& t, double allowed) {
    return percent(static_cast<double>(t.accepted), allowed);
}

struct range {
    double median, worst;
};
range of(const std::vector<double>& v, bool low_is_bad) {
    return {quantile(v, 0.5), quantile(v, low_is_bad ? 0 : 1)};
}

void print(const char* what, const std::vector<double>& v, bool low_is_bad, const char* unit) {
    const auto r = of(v, low_is_bad);
    fmt::print("    {:58} {:>8.1f}{}  worst {:.1f}{}\n", what, r.median, unit, r.worst, unit);
}

struct options {
    unsigned first = 1, last = 100;  // seed
    std::string only;
    double latency = 0;  // seconds; 0: from the seed
    double stalls = 0;   // of each host, a second
    bool trace = false;
    bool check = false;

    [[nodiscard]] auto seeds() const { return std::views::iota(first, last + 1); }
    [[nodiscard]] network net(std::mt19937_64& random) const {
        const double drawn = latency_of(random);
        return {.latency = latency > 0 ? latency : drawn, .stalls = stalls};
    }
    /// The network of a seed, not farther away than 0.1 s unless told.
    [[nodiscard]] network near(unsigned seed) const {
        std::mt19937_64 random(seed);
        network n = net(random);
        if (latency <= 0) n.latency = std::min(n.latency, 0.1);
        return n;
    }
};

/// A limit that changes while it is used; whether that is seen (about) as soon as it should be.
bool changes(const options& o) {
    std::vector<double> halved_after, halved_refused, doubled_after, probes, back_after;
    for (const unsigned seed : o.seeds()) {
        const network net = o.near(seed);
        scenario s;
        s.duration = 240;
        token_bucket limit(500, 50);
        const auto r = simulate(s, limit, net,
                                {{30, [&](double now) { limit.set_rate(now, 250); }},
                                 {60, [&](double now) { limit.set_rate(now, 500); }},
                                 {100, [&](double now) { limit.set_rate(now, 0); }},
                                 {220, [&](double now) { limit.set_rate(now, 500); }}},
                                seed, o.trace);
        const auto reaches = [&](std::size_t from, double rate) {
            for (std::size_t i = from; i + 2 < r.by_second.size(); ++i)
                if (share_of(r.total(i, i + 2), 2 * rate) >= 95) return static_cast<double>(i - from);
            return 999.0;
        };
        halved_after.push_back(reaches(30, 250));
        halved_refused.push_back(static_cast<double>(r.total(30, 32).throttled) - 500 * net.latency);
        doubled_after.push_back(reaches(60, 500));
        probes.push_back(static_cast<double>(r.total(102, 220).throttled));
        back_after.push_back(reaches(220, 500));
    }
    fmt::print("a limit of 500/s that changes\n");
    print("halves: seconds until 95% of the new one is used", halved_after, false, " s");
    print("        refused because of it, beyond those in flight", halved_refused, false, "");
    print("doubles: seconds until 95% of the new one is used", doubled_after, false, " s");
    print("nothing for two minutes: probes meanwhile", probes, false, "");
    print("        back: seconds until 95% is used", back_after, false, " s");
    return quantile(halved_after, 0.5) <= 5 && quantile(halved_refused, 0.5) <= 20 &&
           quantile(doubled_after, 0.5) <= 20 && quantile(probes, 0.5) <= 20 &&
           quantile(back_after, 0.5) <= 10;
}

bool read(int argc, char** argv, options& o) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view a = argv[i];
        const bool takes_value =
            a == "--seeds" || a == "--seed" || a == "--only" || a == "--latency" || a == "--stalls";
        if (takes_value && i + 1 == argc) return false;
        if (a == "--seeds")
            o.last = o.first + static_cast<unsigned>(std::max(1, std::atoi(argv[++i]))) - 1;
        else if (a == "--seed")
            o.first = o.last = static_cast<unsigned>(std::atoi(argv[++i]));
        else if (a == "--only")
            o.only = argv[++i];
        else if (a == "--latency")
            o.latency = std::atof(argv[++i]);
        else if (a == "--stalls")
            o.stalls = std::atof(argv[++i]);
        else if (a == "--trace")
            o.trace = true;
        else if (a == "--check")
            o.check = true;
        else
            return false;
    }
    return true;
}

/// Processes that know nothing of each other on the same limit; whether they share it (about) as they should.
bool four_processes(const options& o, hint told) {
    std::vector<double> least, most, together, throttled;
    for (const unsigned seed : o.seeds()) {
        scenario s;
        s.processes = 4;
        s.told = told;
        token_bucket limit(200, 20);
        const auto r = simulate(s, limit, o.near(seed), {}, seed, o.trace);
        std::vector<double> shares;
        for (const auto& t : r.processes) shares.push_back(share_of(t, limit.allowance(60)));
        least.push_back(*std::ranges::min_element(shares));
        most.push_back(*std::ranges::max_element(shares));
        together.push_back(share_of(r.total(), limit.allowance(60)));
        throttled.push_back(
            percent(static_cast<double>(r.total().throttled), static_cast<double>(r.total().requests)));
    }
    fmt::print("four processes, bucket 200/s burst 20{}\n", told == hint::none ? "" : ", Retry-After");
    print("the least share of the limit", least, true, "%");
    print("the greatest", most, false, "%");
    print("all together", together, true, "%");
    print("throttled", throttled, false, "%");
    // Each refusal with a wait costs one of them that time, which the others cannot use.
    const double waits = told == hint::none ? 0 : 8, fewer_cuts = told == hint::none ? 0 : 3;
    return quantile(least, 0.5) >= 15 - fewer_cuts && quantile(most, 0.5) <= 35 &&
           quantile(together, 0.5) >= 95 - waits && quantile(throttled, 0.5) <= 4;
}

bool sixty_percent(const options& o) {
    std::vector<double> share;
    for (const unsigned seed : o.seeds()) {
        scenario s;
        s.max_share = 60;
        s.told = hint::retry_after;
        token_bucket limit(200, 20);
        share.push_back(
            share_of(simulate(s, limit, o.near(seed), {}, seed, o.trace).total(), limit.allowance(60)));
    }
    fmt::print("--max-share 60, bucket 200/s burst 20, Retry-After\n");
    print("used of the limit", share, true, "%");
    print("at most", share, false, "%");
    return quantile(share, 0.5) >= 52 && quantile(share, 0.5) <= 62;
}

/// Runs one model with every seed and prints its line; whether it is (about) as good as it should be.
bool measure(const model& m, const options& o) {
    std::vector<double> goodputs, shares;
    double worst = 1e9, worst_latency = 0;
    std::uint64_t lost = 0, overtaken = 0;
    unsigned worst_seed = 0;
    for (const unsigned seed : o.seeds()) {
        std::mt19937_64 random(seed);
        const network net = o.net(random);
        auto limit = m.make(random, net);
        const auto r = simulate(m.run, *limit, net, {}, seed, o.trace);
        const auto all = r.total();
        // Nor can more be had than the connections carry.
        const double carried = m.run.concurrency * m.run.duration / net.latency;
        const double goodput = std::min(
            100.0,
            share_of(all, std::min(limit->allowance(m.run.duration) - m.run.other_traffic * m.run.duration,
                                   carried)));
        goodputs.push_back(goodput);
        shares.push_back(percent(static_cast<double>(all.throttled), static_cast<double>(all.requests)));
        lost += r.lost;
        overtaken = std::max(overtaken, r.overtaken);
        if (goodput < worst) worst = goodput, worst_seed = seed, worst_latency = net.latency;
    }
    const double goodput = quantile(goodputs, 0.5), throttled = quantile(shares, 0.5);
    fmt::print(
        "{:36} {:>8.1f}% {:>6.0f}% {:>8.1f}% {:>10.2f}% {:>5.0f}% {:>9.2f}% {:>5} {:>9}  (seed {}, {:.3f} "
        "s)\n",
        m.name, goodput, m.least_goodput, worst, throttled, m.most_throttled, quantile(shares, 1), lost,
        overtaken, worst_seed, worst_latency);
    return lost == 0 && overtaken < 1000 && goodput >= m.least_goodput - slack &&
           throttled <= m.most_throttled;
}

int run(int argc, char** argv) {
    options o;
    if (!read(argc, argv, o)) {
        fmt::print(stderr,
                   "usage: muster-sim [--seeds N | --seed N] [--only WORDS] [--latency SECONDS] [--stalls N] "
                   "[--trace] [--check]\n"
                   "  --stalls: so often a second each host does nothing for 10 ms, on average\n"
                   "  --check: exit code 1 where a median is far from its goal\n");
        return 2;
    }
    fmt::print("{} seeds; latency {}\n", o.seeds().size(),
               o.latency > 0 ? fmt::format("{} s", o.latency) : "1 ms to 2 s, the median 45 ms");
    fmt::print("{:36} {:>9} {:>7} {:>9} {:>11} {:>6} {:>10} {:>5} {:>9}\n", "limit", "goodput", "goal",
               "worst", "throttled", "goal", "worst", "lost", "overtaken");
    bool good = true;
    for (const auto& m : models())
        if (m.name.find(o.only) != std::string::npos) good = measure(m, o) && good;
    if (o.only.empty() || o.only == "changes") good = changes(o) && good;
    if (o.only.empty() || o.only == "neighbours") {
        for (const hint told : {hint::none, hint::retry_after}) good = four_processes(o, told) && good;
        good = sixty_percent(o) && good;
    }
    return o.check && !good ? 1 : 0;
}

}  // namespace
}  // namespace muster::sim

int main(int argc, char** argv) {
    return muster::sim::run(argc, argv);
}
