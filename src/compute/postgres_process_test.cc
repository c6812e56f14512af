#include "compute/postgres_process.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tarn::compute {
namespace {

std::string complaint(const std::string& log, off_t begin = 0) {
    std::string pattern = testing::TempDir() + "tarn-log-XXXXXX";
    std::string directory = mkdtemp(pattern.data());
    std::ofstream(directory + "/log") << log;
    std::string found = last_complaint(directory + "/log", begin);
    std::filesystem::remove_all(directory);
    return found;
}

TEST(LastComplaint, IsTheLastFatalOrPanicOfThisRun) {
    std::string log = "t1 FATAL:  an old one\nt2 LOG:  starting\n";
    EXPECT_EQ(complaint(log), "FATAL:  an old one");
    EXPECT_EQ(complaint(log + "t3 PANIC:  no\nt4 LOG:  ended\n", 23), "PANIC:  no");
}

TEST(LastComplaint, WithoutOneIsTheLastLine) {
    EXPECT_EQ(complaint("one\ntwo\n\n"), "two");
    EXPECT_EQ(complaint("two"), "two");
    EXPECT_EQ(complaint(""), "");
    EXPECT_EQ(complaint("one\n", 4), "");
}

TEST(LastComplaint, SaysWhichSettingIsWrongAndNotInWhichFile) {
    EXPECT_EQ(
        complaint("t [1] LOG:  invalid value for parameter \"work_mem\": \"much\"\n"
                  "t [1] HINT:  Valid units are ...\n"
                  "t [1] FATAL:  configuration file \"/x/postgresql.conf\" contains errors\n"),
        "LOG:  invalid value for parameter \"work_mem\": \"much\"");
}

}  // namespace
}  // namespace tarn::compute
