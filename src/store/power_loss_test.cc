// power_loss_test.cc: simulated power losses, thousands of them, and proof that they can be seen.
//
//   store_power_loss_test [--seeds N] [--from N]   everything, with N seeds of the plain kind
//   store_power_loss_test --seed N [SITE] [fails]  one run; with this kind of sync lying, or
//   failing
//
// The kinds of sync are not listed here: they are those of sys/sync_sites.def that the store owns.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/log.h"
#include "store/power_loss_simulation.h"

namespace tarn::store::power_loss {
namespace {

using sys::SyncSite;

constexpr uint64_t kSeeds = 1000;
constexpr uint64_t kFailingSeeds = 60;     // for each kind of sync
constexpr uint64_t kDisabledSeeds = 2000;  // at most, until one goes red
constexpr uint64_t kCorruptSeeds = 150;
constexpr size_t kSites = static_cast<size_t>(SyncSite::count_);

struct Totals {
    uint64_t syncs[kSites] = {};
    uint64_t power_losses = 0, points_verified = 0, damage_found = 0, errors_served = 0,
             pages_copied = 0, pages_packed = 0;
};

std::string run_one(uint64_t seed, const Options& options, Totals& totals) {
    Simulation simulation(seed, options);
    std::string problem = simulation.run();
    for (size_t site = 0; site < kSites; ++site)
        totals.syncs[site] += simulation.syncs(static_cast<SyncSite>(site));
    totals.power_losses += simulation.power_losses();
    totals.points_verified += simulation.points_verified();
    totals.damage_found += simulation.damage_found();
    totals.errors_served += simulation.errors_served();
    totals.pages_copied += simulation.pages_copied();
    totals.pages_packed += simulation.pages_packed();
    return problem;
}

// The first seed of [from, from + count) that goes red; false if none does.
bool any_red(uint64_t from, uint64_t count, const Options& options, Totals& totals, uint64_t* seed,
             std::string* problem) {
    for (*seed = from; *seed < from + count; ++*seed)
        if (*problem = run_one(*seed, options, totals); !problem->empty()) return true;
    return false;
}

int failures = 0;

void report(bool good, const std::string& line) {
    std::printf("%s %s\n", good ? "ok  " : "FAIL", line.c_str());
    std::fflush(stdout);
    if (!good) ++failures;
}

void expect_green(const std::string& what, uint64_t from, uint64_t count, const Options& options,
                  Totals& totals) {
    uint64_t seed;
    std::string problem;
    bool red = any_red(from, count, options, totals, &seed, &problem);
    report(!red, red ? fmt::format("{}: seed {}: {}", what, seed, problem)
                     : fmt::format("{}: {} seeds", what, count));
}

int run_all(uint64_t from, uint64_t seeds) {
    Totals totals;
    expect_green("power loss", from, seeds, {}, totals);
    report(totals.power_losses >= 2 * seeds && totals.points_verified > seeds,
           fmt::format("{} power losses, {} restore points verified after them",
                       totals.power_losses, totals.points_verified));
    report(totals.pages_copied > 10 * seeds, fmt::format("{} pages copied", totals.pages_copied));
    report(totals.pages_packed > seeds, fmt::format("{} pages packed", totals.pages_packed));
    for (size_t i = 0; i < kSites; ++i) {
        auto site = static_cast<SyncSite>(i);
        std::string name = sys::sync_site_name(site);
        if (sys::sync_site_owner(site) != sys::SyncOwner::store) {
            report(totals.syncs[i] == 0, name + " belongs to another folder's simulation");
            continue;
        }
        report(totals.syncs[i] > 0, fmt::format("{} was called {} times", name, totals.syncs[i]));
        Totals ignored;
        expect_green(name + " fails once", from, kFailingSeeds, Options{std::nullopt, site, false},
                     ignored);
        uint64_t seed;
        std::string problem;
        bool red = any_red(from, kDisabledSeeds, Options{site, std::nullopt, false}, ignored, &seed,
                           &problem);
        report(red, red ? fmt::format("without {}: seed {} goes red: {}", name, seed, problem)
                        : fmt::format("without {}: {} seeds notice nothing", name, kDisabledSeeds));
    }
    Totals corrupt;
    expect_green("flipped bits are never served", from, kCorruptSeeds,
                 Options{std::nullopt, std::nullopt, true}, corrupt);
    report(corrupt.damage_found > kCorruptSeeds / 4 && corrupt.errors_served > kCorruptSeeds / 4,
           fmt::format("flipped bits were found {} times, and {} page reads answered EIO",
                       corrupt.damage_found, corrupt.errors_served));
    return failures == 0 ? 0 : 1;
}

int run_single(uint64_t seed, const char* site_name, bool fails) {
    Options options;
    options.corrupt = site_name && std::strcmp(site_name, "corrupt") == 0;
    for (size_t i = 0; site_name && i < kSites; ++i) {
        auto site = static_cast<SyncSite>(i);
        if (std::strcmp(sys::sync_site_name(site), site_name) != 0) continue;
        (fails ? options.failing : options.disabled) = site;
    }
    Totals totals;
    std::string problem = run_one(seed, options, totals);
    report(problem.empty(), fmt::format("seed {}: {}", seed, problem));
    return problem.empty() ? 0 : 1;
}

int main(int count, char** arguments) {
    // Failures are asked for here by the thousand.
    spdlog::set_level(spdlog::level::off);
    uint64_t seeds = kSeeds, from = 1;
    for (int i = 1; i + 1 < count; ++i) {
        std::string argument = arguments[i];
        uint64_t number = std::strtoull(arguments[i + 1], nullptr, 10);
        if (argument == "--seed")
            return run_single(number, i + 2 < count ? arguments[i + 2] : nullptr, i + 3 < count);
        if (argument == "--seeds") seeds = number;
        if (argument == "--from") from = number;
    }
    return run_all(from, seeds);
}

}  // namespace
}  // namespace tarn::store::power_loss

int main(int count, char** arguments) {
    return tarn::store::power_loss::main(count, arguments);
}
