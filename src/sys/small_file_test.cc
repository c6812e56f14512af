#include "sys/small_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "sys/files.h"

namespace tarn::sys {
namespace {

TEST(SmallFile, IsReadBackWithItsMode) {
    std::string directory = testing::TempDir() + "small-file-test";
    std::filesystem::remove_all(directory);
    ASSERT_TRUE(make_directory(real_disk(), directory).ok());
    ASSERT_TRUE(make_directory(real_disk(), directory).ok());
    std::string path = directory + "/key";
    EXPECT_FALSE(read_small_file(path).value().has_value());
    std::string long_text(20'000, 'k');
    for (const std::string& bytes : {std::string("first"), long_text, std::string()}) {
        ASSERT_TRUE(write_small_file(path, bytes, 0600).ok());
        EXPECT_EQ(read_small_file(path).value(), bytes);
    }
    struct stat status = {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(SmallFile, NoneOfSeveralGetsItsNameBeforeAllAreWritten) {
    std::string directory = testing::TempDir() + "small-files-test";
    std::filesystem::remove_all(directory);
    ASSERT_TRUE(make_directory(real_disk(), directory).ok());
    std::string a = directory + "/a", b = directory + "/b";
    ASSERT_TRUE(write_small_files({{a, "one"}, {b, "two"}}, 0600).ok());
    EXPECT_EQ(read_small_file(a).value(), "one");
    EXPECT_EQ(read_small_file(b).value(), "two");
    EXPECT_FALSE(write_small_files({{a, "three"}, {directory + "/no/b", "four"}}, 0600).ok());
    EXPECT_EQ(read_small_file(a).value(), "one");
    EXPECT_TRUE(write_small_files({}, 0600).ok());
}

TEST(SmallFile, NamesWhatCouldNotBeDone) {
    Error missing = write_small_file("/nonexistent/key", "x", 0600).error();
    EXPECT_EQ(missing.code(), Code::not_found);
    EXPECT_NE(missing.message().find("/nonexistent/key"), std::string::npos);
    EXPECT_FALSE(read_small_file("/").ok());
    ASSERT_TRUE(write_small_file(testing::TempDir() + "large",
                                 std::string(kSmallFileBytesMax + 1, 'x'), 0600)
                    .ok());
    EXPECT_EQ(read_small_file(testing::TempDir() + "large").error().code(), Code::too_large);
}

}  // namespace
}  // namespace tarn::sys
