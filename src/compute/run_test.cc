#include "compute/run.h"

#include <gtest/gtest.h>

namespace tarn::compute {
namespace {

Result<std::string> shell(const std::string& script) {
    return run({.command = {"/bin/sh", "-c", script}});
}

TEST(Run, AnswersWhatWasPrinted) {
    EXPECT_EQ(shell("echo out; echo err >&2").value(), "out\nerr\n");
}

TEST(Run, FailureIsTheOneLineThatSaysWhy) {
    auto failed = shell(
        "echo creating files; echo 'now FATAL:  could not do it'; echo removing files; exit 3");
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code(), Code::internal);
    EXPECT_EQ(failed.error().message(), "/bin/sh exited with 3: FATAL:  could not do it");
    EXPECT_EQ(shell("echo a; echo b; exit 1").error().message(), "/bin/sh exited with 1: b");
    EXPECT_EQ(shell("kill -9 $$").error().message(), "/bin/sh was ended by signal 9: ");
}

TEST(Run, FullDiskOfTheProgramIsAFullDisk) {
    // As initdb prints it.
    auto full = shell(R"(
        echo 'bootstrapping ... FATAL:  could not write to file "x": No space left on device'
        echo 'child process exited with exit code 1'
        exit 1)");
    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().code(), Code::no_space);
    EXPECT_EQ(full.error().text().find('\n'), std::string::npos) << full.error().text();
    EXPECT_FALSE(full.error().hint().empty());
}

}  // namespace
}  // namespace tarn::compute
