#include "sys/sim_disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "sys/files.h"

namespace tarn::sys {
namespace {

constexpr SyncSite kData = SyncSite::log_pages;
constexpr SyncSite kNames = SyncSite::log_directory;

void write(Disk& disk, const std::string& path, std::string_view bytes, bool sync) {
    auto file = File::open(disk, path, O_RDWR | O_CREAT);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->write(bytes.data(), bytes.size(), 0).ok());
    if (!sync) return;
    ASSERT_TRUE(file->sync(kData).ok());
}

// What is at `path`; "gone" if nothing is.
std::string look(Disk& disk, const std::string& path) {
    auto bytes = read_file(disk, path);
    return bytes.ok() ? *bytes : "gone";
}

// What `path` can be after a power loss that follows `prepare`.
template <class Prepare>
std::set<std::string> outcomes(const std::string& path, Prepare prepare) {
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 200; ++seed) {
        SimDisk disk(seed);
        prepare(disk);
        disk.power_loss(seed);
        seen.insert(look(disk, path));
    }
    return seen;
}

TEST(SimDisk, BehavesLikeADiskWhileThePowerIsOn) {
    SimDisk disk(1);
    EXPECT_EQ(disk.make_directory("/a", 0700), 0);
    EXPECT_EQ(disk.make_directory("/a", 0700), -EEXIST);
    EXPECT_EQ(disk.make_directory("/b/c", 0700), -ENOENT);
    write(disk, "/a/one", "first", false);
    EXPECT_EQ(disk.link("/a/one", "/a/two"), 0);
    EXPECT_EQ(disk.rename("/a/one", "/a/three"), 0);
    EXPECT_EQ(list_names(disk, "/a").value(), (std::vector<std::string>{"three", "two"}));
    EXPECT_EQ(disk.unlink("/a/two"), 0);
    EXPECT_EQ(look(disk, "/a/three"), "first");
    EXPECT_EQ(disk.remove_directory("/a"), -ENOTEMPTY);
    EXPECT_EQ(disk.unlink("/a"), -EISDIR);
    EXPECT_EQ(disk.open("/a/three", O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
    int fd = disk.open("/a/three", O_RDWR, 0600);
    EXPECT_EQ(disk.truncate(fd, 2), 0);
    EXPECT_EQ(disk.allocate(fd, 0, 4), 0);
    EXPECT_EQ(look(disk, "/a/three"), std::string("fi\0\0", 4));
    EXPECT_EQ(std::string(static_cast<const char*>(disk.map(fd, 2)), 2), "fi");
    EXPECT_EQ(disk.close(fd), 0);
    EXPECT_EQ(disk.close(fd), -EBADF);
    int reader = disk.open("/a/three", O_RDONLY, 0);
    EXPECT_EQ(disk.pwrite(reader, "x", 1, 0), -EBADF);
    ASSERT_TRUE(remove_tree(disk, "/a").ok());
    EXPECT_EQ(disk.open("/a/three", O_RDONLY, 0), -ENOENT);
}

TEST(SimDisk, WhatIsSyncedSurvivesEveryPowerLoss) {
    auto seen = outcomes("/f", [](SimDisk& disk) {
        write(disk, "/f", "kept", true);
        disk.sync_directory("/", kNames);
    });
    EXPECT_EQ(seen, std::set<std::string>{"kept"});
}

TEST(SimDisk, ASyncedFileWithoutItsNameMayBeGone) {
    auto seen = outcomes("/f", [](SimDisk& disk) { write(disk, "/f", "bytes", true); });
    EXPECT_EQ(seen, (std::set<std::string>{"bytes", "gone"}));
}

TEST(SimDisk, ANameWithoutASyncOfItsFileMayBeEmptyZerosOrWhole) {
    auto seen = outcomes("/f", [](SimDisk& disk) {
        write(disk, "/f", "bytes", false);
        disk.sync_directory("/", kNames);
    });
    EXPECT_EQ(seen, (std::set<std::string>{"", "bytes", std::string(5, '\0')}));
}

TEST(SimDisk, WritesAreTornAtSectorsAndNowhereElse) {
    std::string old(4 * 512, 'o'), fresh(4 * 512, 'n');
    auto seen = outcomes("/f", [&](SimDisk& disk) {
        write(disk, "/f", old, true);
        disk.sync_directory("/", kNames);
        write(disk, "/f", fresh, false);
    });
    EXPECT_TRUE(seen.contains(old));
    EXPECT_TRUE(seen.contains(fresh));
    EXPECT_GT(seen.size(), 8u);
    for (const std::string& each : seen)
        for (size_t i = 0; i < each.size(); ++i) EXPECT_EQ(each[i], each[i / 512 * 512]);
}

TEST(SimDisk, UnsyncedWritesAreKeptAndLostEachOnItsOwn) {
    auto seen = outcomes("/f", [](SimDisk& disk) {
        write(disk, "/f", std::string(1024, '.'), true);
        disk.sync_directory("/", kNames);
        int fd = disk.open("/f", O_RDWR, 0);
        disk.pwrite(fd, std::string(512, '1').data(), 512, 0);
        disk.pwrite(fd, std::string(512, '2').data(), 512, 512);
    });
    std::set<std::string> beginnings;
    for (const std::string& each : seen) beginnings.insert({each[0], each[512]});
    EXPECT_EQ(beginnings, (std::set<std::string>{"..", "1.", ".2", "12"}));
}

TEST(SimDisk, ARenameIsKeptOrLostWhole) {
    std::set<std::string> seen;
    for (uint64_t seed = 0; seed < 200; ++seed) {
        SimDisk disk(seed);
        write(disk, "/from", "f", true);
        write(disk, "/to", "t", true);
        disk.sync_directory("/", kNames);
        disk.rename("/from", "/to");
        disk.power_loss(seed);
        seen.insert(look(disk, "/from") + "," + look(disk, "/to"));
    }
    EXPECT_EQ(seen, (std::set<std::string>{"f,t", "gone,f"}));
}

TEST(SimDisk, ADirectoryThatWasNotSyncedTakesItsContentsWithIt) {
    auto seen = outcomes("/d/f", [](SimDisk& disk) {
        disk.make_directory("/d", 0700);
        write(disk, "/d/f", "inside", true);
        disk.sync_directory("/d", kNames);
    });
    EXPECT_EQ(seen, (std::set<std::string>{"gone", "inside"}));
}

TEST(SimDisk, AFailedSyncIsToldOnceAndLosesForGood) {
    int lost = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        SimDisk disk(seed);
        write(disk, "/f", "old", true);
        disk.sync_directory("/", kNames);
        disk.fail_sync(kData, 1);
        int fd = disk.open("/f", O_RDWR, 0);
        ASSERT_EQ(disk.pwrite(fd, "new", 3, 0), 3);
        EXPECT_EQ(disk.sync(fd, kData), -EIO);
        EXPECT_EQ(disk.sync(fd, kData), 0);  // the lie that makes a second try forbidden
        EXPECT_EQ(look(disk, "/f"), "new");
        disk.power_loss(seed);
        lost += look(disk, "/f") == "old";
    }
    EXPECT_GT(lost, 5);
    EXPECT_LT(lost, 40);
}

TEST(SimDisk, ADisabledSyncSaysYesAndDoesNothing) {
    auto seen = outcomes("/f", [](SimDisk& disk) {
        disk.disable(kData);
        write(disk, "/f", "bytes", true);
        EXPECT_EQ(disk.syncs(kData), 1u);
        disk.sync_directory("/", kNames);
    });
    EXPECT_TRUE(seen.contains(""));
}

TEST(SimDisk, AFullDiskRefusesWritesAndReservations) {
    SimDisk disk(1);
    disk.limit_space(2 * 4096);
    int fd = disk.open("/f", O_RDWR | O_CREAT, 0600);
    EXPECT_EQ(disk.allocate(fd, 0, 4096), 0);
    EXPECT_EQ(disk.allocate(fd, 0, 3 * 4096), -ENOSPC);
    std::string bytes(4096, 'x');
    EXPECT_EQ(disk.pwrite(fd, bytes.data(), bytes.size(), 4096), 4096);
    EXPECT_EQ(disk.pwrite(fd, bytes.data(), bytes.size(), 2 * 4096), -ENOSPC);
    EXPECT_EQ(disk.pwrite(fd, bytes.data(), bytes.size(), 0), 4096);  // reserved before
    EXPECT_EQ(disk.size(fd), 2 * 4096);
}

TEST(SimDisk, WithThePowerOffNothingAnswersUntilItIsBack) {
    SimDisk disk(1);
    write(disk, "/f", "x", true);
    disk.sync_directory("/", kNames);
    disk.cut_power_after(1);
    EXPECT_EQ(disk.make_directory("/d", 0700), 0);
    EXPECT_EQ(disk.make_directory("/e", 0700), -EIO);
    EXPECT_TRUE(disk.power_is_off());
    EXPECT_EQ(disk.open("/f", O_RDONLY, 0), -EIO);
    disk.power_loss(1);
    EXPECT_EQ(look(disk, "/f"), "x");
}

TEST(SimDisk, ShortReadsAndWritesDoLessButNotNothing) {
    SimDisk disk(1);
    disk.shorten_one_in(1);
    int fd = disk.open("/f", O_RDWR | O_CREAT, 0600);
    std::string bytes(4096, 'x');
    int64_t written = disk.pwrite(fd, bytes.data(), bytes.size(), 0);
    EXPECT_GT(written, 0);
    EXPECT_LT(written, 4096);
    write(disk, "/f", bytes, false);  // loops
    EXPECT_EQ(look(disk, "/f"), bytes);
}

TEST(SimDisk, AFlippedBitStays) {
    SimDisk disk(1);
    write(disk, "/f", "a", true);
    disk.sync_directory("/", kNames);
    EXPECT_EQ(disk.flip_bit("/f", 1), 0);
    EXPECT_EQ(look(disk, "/f"), "c");
    disk.power_loss(1);
    EXPECT_EQ(look(disk, "/f"), "c");
    EXPECT_EQ(disk.flip_bit("/f", 8), -EINVAL);
}

TEST(SimDisk, AHookRunsBeforeEveryChangeAndMayChangeThings) {
    SimDisk disk(1);
    int calls = 0;
    bool inside = false;
    disk.before_each_change([&] {
        ++calls;
        if (inside) return;
        inside = true;
        disk.make_directory(("/" + std::to_string(calls)).c_str(), 0700);
        inside = false;
    });
    disk.make_directory("/d", 0700);
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(list_names(disk, "/").value(), (std::vector<std::string>{"1", "d"}));
}

// A record is there whole or not at all, wherever the power goes.
TEST(SimDisk, CreateDurablyIsAllOrNothingAtEveryMomentOfAPowerLoss) {
    int absent = 0, present = 0;
    for (uint64_t seed = 0; seed < 400; ++seed) {
        SimDisk disk(seed);
        std::string bytes(5000, 'n');
        disk.cut_power_after(seed % 8);
        bool done = create_durably(disk, "/record", bytes, kData, kNames).ok();
        disk.power_loss(seed);
        std::string seen = look(disk, "/record");
        ASSERT_TRUE(seen == bytes || (seen == "gone" && !done)) << "seed " << seed;
        (seen == bytes ? present : absent)++;
    }
    EXPECT_GT(absent, 100);
    EXPECT_GT(present, 100);
}

TEST(SimDisk, CreateDurablyTakesBackANameThatItCouldNotMakeDurable) {
    SimDisk disk(1);
    disk.fail_sync(kNames, 1);
    EXPECT_EQ(create_durably(disk, "/record", "x", kData, kNames).error().code(), Code::io_error);
    EXPECT_EQ(look(disk, "/record"), "gone");
    EXPECT_TRUE(create_durably(disk, "/record", "x", kData, kNames).ok());
}

}  // namespace
}  // namespace tarn::sys
