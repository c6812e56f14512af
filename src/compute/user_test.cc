#include "compute/user.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace tarn::compute {
namespace {

// As root the computes' user is another than ours; else it is ours. Every test holds for both.
class AccessTest : public testing::Test {
  protected:
    AccessTest() {
        std::string pattern = "/tmp/tarn-access-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        ::chmod(directory_.c_str(), 0755);
        inner_ = directory_ + "/inner";
        file_ = inner_ + "/file";
        std::filesystem::create_directory(inner_);
        ::chmod(inner_.c_str(), 0755);
        std::ofstream(file_) << "x";
        ::chmod(file_.c_str(), 0755);
        user_ = find_compute_user("").value();
    }
    ~AccessTest() override {
        ::chmod(inner_.c_str(), 0755);
        std::filesystem::remove_all(directory_);
    }
    std::string refusal(int mode) {
        auto checked = check_access(user_, file_, mode);
        if (checked.ok()) return "";
        EXPECT_EQ(checked.error().code(), Code::permission_denied);
        EXPECT_FALSE(checked.error().hint().empty());
        return checked.error().message();
    }
    std::string directory_, inner_, file_;
    ComputeUser user_;
};

TEST_F(AccessTest, OpenFileIsReadAndRun) {
    EXPECT_EQ(refusal(R_OK), "");
    EXPECT_EQ(refusal(X_OK), "");
    EXPECT_TRUE(check_access(user_, directory_, X_OK).ok());
}

TEST_F(AccessTest, FirstDirectoryThatIsClosedIsNamed) {
    ::chmod(inner_.c_str(), 0);
    EXPECT_TRUE(refusal(R_OK).ends_with("cannot enter " + inner_)) << refusal(R_OK);
    EXPECT_FALSE(check_access(user_, inner_, X_OK).ok());
}

TEST_F(AccessTest, ClosedFileIsNamed) {
    ::chmod(file_.c_str(), 0);
    EXPECT_TRUE(refusal(R_OK).ends_with("cannot read " + file_)) << refusal(R_OK);
    EXPECT_TRUE(refusal(X_OK).ends_with("cannot run " + file_)) << refusal(X_OK);
}

TEST_F(AccessTest, MissingFileIsMissing) {
    auto checked = check_access(user_, inner_ + "/other", R_OK);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.error().code(), Code::not_found);
}

TEST_F(AccessTest, UnknownUserIsNamedToAServerThatMustSwitch) {
    auto found = find_compute_user("no-such-user");
    EXPECT_EQ(found.ok(), ::geteuid() != 0);
    if (found.ok()) return;
    EXPECT_NE(found.error().message().find("'no-such-user'"), std::string::npos);
    EXPECT_NE(found.error().hint().find("useradd"), std::string::npos);
    EXPECT_FALSE(find_compute_user("root").ok());
}

}  // namespace
}  // namespace tarn::compute
