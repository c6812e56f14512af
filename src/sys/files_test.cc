#include "sys/files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <set>

#include "sys/clock.h"
#include "sys/randomness.h"

namespace tarn::sys {
namespace {

struct FilesTest : testing::Test {
    FilesTest() { EXPECT_NE(::mkdtemp(root.data()), nullptr); }
    ~FilesTest() override { EXPECT_TRUE(remove_tree(disk, root).ok()); }

    Disk& disk = real_disk();
    std::string root = testing::TempDir() + "tarn-sys-XXXXXX";
};

Result<void> write(Disk& disk, const std::string& path, std::string_view bytes) {
    return create_durably(disk, path, bytes, SyncSite::lineage_data, SyncSite::lineage_directory);
}

TEST_F(FilesTest, CreatedDurablyReadsBackAndLeavesNothingBeside) {
    std::string path = root + "/record";
    ASSERT_TRUE(write(disk, path, std::string(100000, '2')).ok());
    EXPECT_EQ(write(disk, path, "again").error().code(), Code::already_exists);
    EXPECT_EQ(read_file(disk, path).value(), std::string(100000, '2'));
    EXPECT_EQ(list_names(disk, root).value(), std::vector<std::string>{"record"});
}

TEST_F(FilesTest, ReplacedDurablyIsTheOldOrTheNewAndLeavesNothingBeside) {
    std::string path = root + "/promise";
    auto replace = [&](const char* text) {
        return replace_durably(disk, path, text, SyncSite::lineage_data,
                               SyncSite::lineage_directory);
    };
    ASSERT_TRUE(replace("old").ok());
    ASSERT_TRUE(replace("new").ok());
    EXPECT_EQ(read_file(disk, path).value(), "new");
    EXPECT_EQ(list_names(disk, root).value(), std::vector<std::string>{"promise"});
    ASSERT_TRUE(make_directory(disk, path + ".tmp").ok());  // in the way
    EXPECT_FALSE(replace("never").ok());
    EXPECT_EQ(read_file(disk, path).value(), "new");
}

TEST_F(FilesTest, IsReadToItsEndWhateverSizeTheSystemTells) {
    std::string boot = read_file(disk, "/proc/sys/kernel/random/boot_id").value();
    EXPECT_EQ(boot.size(), 37u);
    // Longer than any first read, and by a length that no piece of it has.
    std::string long_text(100'003, 'l');
    ASSERT_TRUE(write_scratch(disk, root + "/long", long_text).ok());
    EXPECT_EQ(read_file(disk, root + "/long").value(), long_text);
    EXPECT_FALSE(read_file(disk, root).ok());  // a directory
}

TEST_F(FilesTest, AMissingDirectoryHasNoNamesOnlyForWhoAsksSo) {
    EXPECT_EQ(list_names(disk, root + "/none").error().code(), Code::not_found);
    EXPECT_EQ(list_names_if_any(disk, root + "/none").value(), std::vector<std::string>{});
    ASSERT_TRUE(write_scratch(disk, root + "/file", "").ok());
    EXPECT_FALSE(list_names_if_any(disk, root + "/file").ok());
}

TEST_F(FilesTest, AFailureNamesThePathAndLeavesNothingBeside) {
    std::string path = root + "/nowhere/record";
    auto written = write(disk, path, "there is no such directory");
    ASSERT_FALSE(written.ok());
    EXPECT_NE(written.error().message().find(path), std::string::npos);
    EXPECT_EQ(list_names(disk, root).value(), std::vector<std::string>{});
    EXPECT_EQ(read_file(disk, root + "/nothing").error().code(), Code::not_found);
}

TEST_F(FilesTest, ReadingBeyondTheEndIsDataLoss) {
    ASSERT_TRUE(write(disk, root + "/short", "12345").ok());
    auto file = File::open(disk, root + "/short", 0).value();
    char bytes[8];
    EXPECT_EQ(file.read(bytes, 8, 0).error().code(), Code::data_loss);
    EXPECT_EQ(file.read_some(bytes, 8, 2).value(), 3u);
}

TEST_F(FilesTest, DirectoriesAreMadeAndTreesRemoved) {
    std::string deep = root + "/a/b/c";
    ASSERT_TRUE(make_directories(disk, deep, SyncSite::lineage_directory).ok());
    ASSERT_TRUE(make_directories(disk, deep, SyncSite::lineage_directory).ok());
    ASSERT_TRUE(write(disk, deep + "/file", "x").ok());
    EXPECT_TRUE(exists(disk, deep + "/file").value());
    EXPECT_FALSE(exists(disk, deep + "/file/below").value());
    ASSERT_TRUE(remove_tree(disk, root + "/a").ok());
    EXPECT_FALSE(exists(disk, root + "/a").value());
    EXPECT_TRUE(remove_tree(disk, root + "/a").ok());
}

TEST(Randomness, SeedsRepeatAndDiffer) {
    SeededRandom one(1), again(1), two(2);
    std::set<uint64_t> seen;
    for (int i = 0; i < 100; ++i) {
        uint64_t number = one.number();
        EXPECT_EQ(number, again.number());
        seen.insert(number);
        seen.insert(two.number());
    }
    EXPECT_EQ(seen.size(), 200u);
    // The authors' generator from the state that splitmix64 makes of 0.
    EXPECT_EQ(SeededRandom(0).number(), 11091344671253066420u);
}

TEST(Randomness, BelowReachesEveryNumberAndNoOther) {
    SeededRandom random(3);
    std::set<uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(random.below(7));
    EXPECT_EQ(seen, (std::set<uint64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Randomness, HexHasTwoDigitsAByteAndDoesNotRepeat) {
    std::string text = real_random().hex(16);
    EXPECT_EQ(text.size(), 32u);
    EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_NE(text, real_random().hex(16));
}

TEST(SimClock, StandsStillUntilMovedAndStepsOnlyTheWall) {
    SimClock clock(Time(Span(1000)));
    EXPECT_EQ(clock.now(), Time(Span(1000)));
    clock.advance(Span(5));
    clock.step(Span(-500));
    EXPECT_EQ(clock.now(), Time(Span(505)));
    EXPECT_EQ(clock.elapsed(), Span(5));
    Span before = real_clock().elapsed();
    EXPECT_LE(before, real_clock().elapsed());
}

}  // namespace
}  // namespace tarn::sys
