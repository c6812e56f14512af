#include "main/profile.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tarn {
namespace {

class ProfileTest : public testing::Test {
  protected:
    ProfileTest() {
        std::string pattern = testing::TempDir() + "tarn-profile-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        path_ = directory_ + "/databrickscfg";
    }
    ~ProfileTest() override { std::filesystem::remove_all(directory_); }
    std::string content() {
        std::ostringstream text;
        text << std::ifstream(path_).rdbuf();
        return text.str();
    }
    std::string directory_, path_;
};

TEST_F(ProfileTest, TokenIsFoundForItsHostAlone) {
    EXPECT_EQ(token_in_profile(path_, "http://a:1"), "");
    ASSERT_TRUE(write_profile(path_, "http://a:1", "secret").ok());
    EXPECT_EQ(token_in_profile(path_, "http://a:1"), "secret");
    EXPECT_EQ(token_in_profile(path_, "http://a:2"), "");
    std::ofstream(path_) << "[other]\nhost = http://a:1\ntoken = secret\n";
    EXPECT_EQ(token_in_profile(path_, "http://a:1"), "");
}

TEST_F(ProfileTest, WhatCannotBeWrittenIsToldBeforehand) {
    EXPECT_TRUE(check_profile(path_).ok());
    EXPECT_TRUE(std::filesystem::is_empty(directory_)) << "it leaves nothing";
    for (const std::string& path : {directory_ + "/none/databrickscfg", directory_}) {
        auto refused = check_profile(path);
        ASSERT_FALSE(refused.ok()) << path;
        EXPECT_NE(refused.error().message().find(path), std::string::npos);
        EXPECT_NE(refused.error().hint().find("--write-profile"), std::string::npos);
    }
}

TEST_F(ProfileTest, OtherProfilesStayAsTheyAre) {
    std::ofstream(path_) << "[DEFAULT]\nhost = http://old\ntoken = old\n[other]\nhost = x\n";
    ASSERT_TRUE(write_profile(path_, "http://a:1", "secret").ok());
    EXPECT_EQ(content(), "[DEFAULT]\nhost = http://a:1\ntoken = secret\n\n[other]\nhost = x\n");
}

}  // namespace
}  // namespace tarn
