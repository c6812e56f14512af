// objects_power_loss_test.cc: power losses around put(), proof of B1 for every sync site of this
// folder: those of sys/sync_sites.def whose owner is `objects`, none of which is named here.
//
// TARN_SEED=N runs that seed alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "objects/directory_store.h"
#include "sys/sim_disk.h"

namespace tarn::objects {
namespace {

using sys::SyncSite;

constexpr uint64_t kSeeds = 100;

// Puts objects until the power goes, and looks at what is there when it is back.
class Putting {
  public:
    explicit Putting(uint64_t seed) : disk(seed), random(seed) {}

    // The first failure, if any; `answered` has what was put before.
    Result<void> run() {
        DirectoryStore store(disk, "/backups/objects");
        for (int number = 0; number < 6; ++number) {
            std::string name = fmt::format("{}/{}", random.below(3), random.below(100));
            std::string bytes(random.below(3000), static_cast<char>('a' + random.below(26)));
            if (answered.contains(name)) bytes = answered[name];  // objects never change
            begun[name] = bytes;
            TRY(store.put(name, bytes));
            answered[name] = bytes;
        }
        return {};
    }
    // "" if what was answered is there, and nothing is there in part.
    std::string wrong() {
        DirectoryStore store(disk, "/backups/objects");
        for (const auto& [name, bytes] : answered) {
            auto found = store.get(name);
            if (!found || *found != bytes) return name + " is not what was put";
        }
        auto found = store.list("");
        if (!found) return found.error().text();
        for (const ObjectInfo& each : *found)
            if (auto bytes = store.get(each.name);
                !bytes || !begun.contains(each.name) || *bytes != begun[each.name])
                return each.name + " is there, and not whole";
        return "";
    }

    sys::SimDisk disk;
    sys::SeededRandom random;
    std::map<std::string, std::string> begun, answered;
};

std::pair<uint64_t, uint64_t> seeds() {
    const char* given = std::getenv("TARN_SEED");
    uint64_t first = given ? std::strtoull(given, nullptr, 10) : 1;
    return {first, given ? first + 1 : first + kSeeds};
}

// What is wrong after the power is back.
std::string lose_power(uint64_t seed, std::optional<SyncSite> disabled) {
    Putting putting(seed);
    if (disabled) putting.disk.disable(*disabled);
    putting.disk.cut_power_after(1 + putting.random.below(60));
    (void)putting.run();
    putting.disk.power_loss(putting.random.number());
    return putting.wrong();
}

class EveryObjectSite : public ::testing::TestWithParam<SyncSite> {};

std::vector<SyncSite> own_sites() {
    std::vector<SyncSite> sites;
    for (size_t i = 0; i < static_cast<size_t>(SyncSite::count_); ++i)
        if (auto site = static_cast<SyncSite>(i);
            sys::sync_site_owner(site) == sys::SyncOwner::objects)
            sites.push_back(site);
    return sites;
}

INSTANTIATE_TEST_SUITE_P(OfObjects, EveryObjectSite, ::testing::ValuesIn(own_sites()),
                         [](const auto& site) { return sys::sync_site_name(site.param); });

// B1
TEST(ObjectsPowerLoss, WhatWasPutOutlivesIt) {
    auto [seed, end] = seeds();
    for (; seed < end; ++seed) ASSERT_EQ(lose_power(seed, std::nullopt), "") << "seed " << seed;
}

TEST(ObjectsPowerLoss, AWriterThatDiedLeavesNothingThatHoldsUpTheNext) {
    auto [seed, end] = seeds();
    for (; seed < end; ++seed) {
        Putting putting(seed);
        putting.disk.cut_power_after(1 + putting.random.below(60));
        (void)putting.run();
        putting.disk.power_loss(putting.random.number());
        ASSERT_TRUE(putting.run().ok()) << "seed " << seed;
        putting.disk.power_loss(putting.random.number());
        ASSERT_EQ(putting.wrong(), "") << "seed " << seed;
    }
}

TEST_P(EveryObjectSite, WithoutItSomeSeedLosesOne) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed)
        if (!lose_power(seed, GetParam()).empty()) return;
    FAIL() << "no power loss notices that " << sys::sync_site_name(GetParam()) << " does nothing";
}

}  // namespace
}  // namespace tarn::objects
