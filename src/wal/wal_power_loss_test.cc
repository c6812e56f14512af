// wal_power_loss_test.cc: power losses around carry(), sync_names() and the compression of the
// archive, proof of W3, A3 and F1 for every sync site of this folder: those of sys/sync_sites.def
// whose owner is `wal`, none of which is named here.
//
// TARN_SEED=N runs that seed alone.

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "pg/wal_format.h"
#include "store/paths.h"
#include "sys/files.h"
#include "sys/sim_disk.h"
#include "wal/wal_ahead.h"
#include "wal/wal_carry.h"
#include "wal/wal_compression.h"

namespace tarn::wal {
namespace {

using sys::SyncSite;

constexpr uint64_t kSeeds = 40;
constexpr const char* kOld = "/old";
const std::string kOldWal = std::string(kOld) + "/" + store::kWalDirectory;
constexpr const char* kNew = "/new";
const std::string kTarget = std::string(kNew) + "/" + store::kWalDirectory;
// Of its own, so that no sync of the other's names helps.
constexpr const char* kBusy = "/busy";
constexpr const char* kDone = "/done";
const std::string kArchive = std::string(kDone) + "/" + store::kWalArchiveDirectory;
const std::string kAhead = std::string(kBusy) + "/" + store::kWalDirectory;

using Contents = std::map<std::string, std::string>;  // of a directory: name -> bytes

// An incarnation with WAL of two timelines, all of it durable, and an empty directory for a new
// one.
class Carrying {
  public:
    explicit Carrying(uint64_t seed) : disk(seed), random(seed) {
        for (const char* root : {kOld, kNew, kBusy, kDone})
            for (const char* folder : {store::kWalDirectory, store::kWalArchiveDirectory})
                make_directory(std::string(root) + "/" + folder);
        for (uint64_t number = 3; number < 7; ++number)
            add(kOldWal, segment_name({number < 5 ? 1u : 2u, number}), noise_of(number));
        for (uint64_t number = 3; number < 5; ++number)
            add(kArchive, segment_name({1, number}), noise_of(number));
        add(kOldWal, "00000002.history", "1\t0/5000000\tno recovery target specified\n");
        plan.tli = 1;
        plan.from = Lsn{3 * kSegmentBytes + random.below(30'000)};
        plan.end = Lsn{6 * kSegmentBytes + pg::wal_page_offset::long_size + random.below(30'000)};
        plan.cut = random.below(2) == 0;
        if (!plan.cut) plan.link_below = Lsn{random.below(8) * kSegmentBytes};
        if (plan.cut && random.below(2) == 0) plan.system_identifier = random.number();
        source = old_wal();
        archived = archived_wal();
    }

    Result<void> run() {
        auto files = TRY(WalFiles::list(disk, kOld));
        TRY(carry(disk, files, kTarget, plan));
        SegmentId ahead{2, 7};
        TRY(make_ahead(disk, kAhead, ahead, 1));
        TRY(sync_names(disk, kAhead));
        TRY(commit_in(ahead));
        return compress();
    }
    Contents old_wal() { return contents(kOldWal); }
    Contents new_wal() {
        Contents all = contents(kTarget);
        all.merge(contents(kAhead));
        all.merge(contents(kArchive));
        return all;
    }
    // As its readers see it.
    Contents archived_wal() {
        Contents found;
        auto files = WalFiles::list(disk, kDone);
        EXPECT_TRUE(files.ok()) << files.error().text();
        if (!files.ok()) return found;
        for (const auto& [segment, path] : files->segments()) {
            auto opened = files->open(segment);
            EXPECT_TRUE(opened.ok()) << opened.error().text();
            if (!opened.ok()) continue;
            std::string bytes(kSegmentBytes, '\0');
            bytes.resize(opened->read_some(bytes.data(), bytes.size(), 0).value());
            found[segment_name(segment)] = bytes;
        }
        return found;
    }

    sys::SimDisk disk;
    sys::SeededRandom random;
    CarryPlan plan;
    Contents source;
    Contents archived;

  private:
    Result<void> compress() {
        Unreadable unreadable;
        auto go_on = [] { return true; };
        CompressionRequest request{Lsn{~uint64_t{0}}, go_on, unreadable};
        while (TRY(compress_next(disk, kArchive, request)) > 0) continue;
        return remove_compressed(disk, kArchive);
    }

    // The syncs of this class are other folders': those of the simulation's owner may lie or fail.
    void make_directory(const std::string& path) {
        auto made = sys::make_directories(disk, path, SyncSite::lineage_directory);
        EXPECT_TRUE(made.ok()) << made.error().text();
    }
    void add(const std::string& directory, const std::string& name, const std::string& bytes) {
        auto made = sys::create_durably(disk, directory + "/" + name, bytes, SyncSite::lineage_data,
                                        SyncSite::lineage_directory);
        EXPECT_TRUE(made.ok()) << made.error().text();
    }
    // As PostgreSQL does: it syncs what it has written, and takes the name for granted.
    Result<void> commit_in(SegmentId segment) {
        auto path = kAhead + "/" + segment_name(segment);
        auto file = TRY(sys::File::open(disk, path, O_RDWR));
        auto bytes = noise_of(segment.number);
        TRY(file.write(bytes.data(), bytes.size(), 0));
        return file.sync(SyncSite::lineage_data);
    }
    // Behind a header. Shorter than a segment: what is missing counts as zeros.
    std::string noise_of(uint64_t number) {
        std::string bytes(40'000 + random.below(100'000), '\0');
        random.fill(bytes.data(), bytes.size());
        namespace offset = pg::wal_page_offset;
        put(bytes.data(), offset::magic, pg::wal_page_magic(17));
        put(bytes.data(), offset::info, pg::wal_page_flag::long_header);
        put(bytes.data(), offset::address, number * kSegmentBytes);
        put(bytes.data(), offset::segment_size, static_cast<uint32_t>(kSegmentBytes));
        put(bytes.data(), offset::block_size, pg::kWalPageSize);
        return bytes;
    }
    Contents contents(const std::string& directory) {
        Contents found;
        auto names = sys::list_names(disk, directory);
        EXPECT_TRUE(names.ok()) << names.error().text();
        for (const auto& name : names.ok() ? *names : std::vector<std::string>{}) {
            auto bytes = sys::read_file(disk, directory + "/" + name);
            EXPECT_TRUE(bytes.ok()) << bytes.error().text();
            if (bytes.ok()) found[name] = *bytes;
        }
        return found;
    }
};

// What is wrong after the power is back; "" when the new incarnation has what it was given.
std::string lose_power_after(uint64_t seed, std::optional<SyncSite> disabled) {
    Carrying carrying(seed);
    if (disabled) carrying.disk.disable(*disabled);
    auto carried = carrying.run();
    if (!carried.ok()) return carried.error().text();
    Contents before = carrying.new_wal();
    EXPECT_EQ(before.size(), 8u) << "four segments, one ahead, a history and two compressed ones";
    carrying.disk.power_loss(carrying.random.number());
    Contents after = carrying.new_wal();
    EXPECT_TRUE(carrying.old_wal() == carrying.source) << "seed " << seed;
    if (!disabled) {
        EXPECT_TRUE(carrying.archived_wal() == carrying.archived) << "seed " << seed;
    }
    for (const auto& [name, bytes] : before) {
        auto found = after.find(name);
        if (found == after.end()) return name + " is gone";
        if (found->second != bytes) return name + " has other bytes";
    }
    return after.size() == before.size() ? "" : "there are names that were not carried";
}

std::pair<uint64_t, uint64_t> seeds() {
    const char* given = std::getenv("TARN_SEED");
    uint64_t first = given ? std::strtoull(given, nullptr, 10) : 1;
    return {first, given ? first + 1 : first + kSeeds};
}

class EverySite : public ::testing::TestWithParam<SyncSite> {};

std::vector<SyncSite> own_sites() {
    std::vector<SyncSite> sites;
    for (size_t i = 0; i < static_cast<size_t>(SyncSite::count_); ++i)
        if (auto site = static_cast<SyncSite>(i); sys::sync_site_owner(site) == sys::SyncOwner::wal)
            sites.push_back(site);
    return sites;
}

INSTANTIATE_TEST_SUITE_P(OfWal, EverySite, ::testing::ValuesIn(own_sites()),
                         [](const auto& site) { return sys::sync_site_name(site.param); });

// W3
TEST(WalPowerLoss, WhatWasCarriedOutlivesIt) {
    auto [seed, end] = seeds();
    for (; seed < end; ++seed)
        ASSERT_EQ(lose_power_after(seed, std::nullopt), "") << "seed " << seed;
}

TEST(WalPowerLoss, DuringACopyLeavesTheSourceToCopyAgain) {
    auto [seed, end] = seeds();
    uint64_t interrupted = 0;
    for (; seed < end; ++seed) {
        Carrying carrying(seed);
        carrying.disk.cut_power_after(carrying.random.below(40));
        if (!carrying.run().ok()) ++interrupted;
        carrying.disk.power_loss(carrying.random.number());
        ASSERT_TRUE(carrying.old_wal() == carrying.source) << "seed " << seed;
        ASSERT_TRUE(carrying.archived_wal() == carrying.archived) << "seed " << seed;
    }
    EXPECT_GT(interrupted, 0u);
}

TEST_P(EverySite, WithoutItSomeSeedLosesWal) {
    for (uint64_t seed = 1; seed <= kSeeds; ++seed)
        if (!lose_power_after(seed, GetParam()).empty()) return;
    FAIL() << "no power loss notices that " << sys::sync_site_name(GetParam()) << " does nothing";
}

TEST_P(EverySite, AFailureOfItIsAnswered) {
    auto [seed, end] = seeds();
    for (; seed < end; ++seed) {
        Carrying whole(seed);
        ASSERT_TRUE(whole.run().ok());
        uint64_t calls = whole.disk.syncs(GetParam());
        ASSERT_GT(calls, 0u) << "nobody calls it";
        for (uint64_t nth = 1; nth <= calls; ++nth) {
            Carrying failing(seed);
            failing.disk.fail_sync(GetParam(), nth);
            auto carried = failing.run();
            ASSERT_FALSE(carried.ok()) << "seed " << seed << ", call " << nth;
            ASSERT_TRUE(failing.old_wal() == failing.source) << "seed " << seed;
            ASSERT_TRUE(failing.archived_wal() == failing.archived) << "seed " << seed;
        }
    }
}

}  // namespace
}  // namespace tarn::wal
