#include "sys/paths.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace tarn::sys {
namespace {

std::string absolute(const std::string& path) {
    auto made = absolute_path(path);
    return made ? *made : "error";
}

TEST(PathsTest, APathIsMadeAbsolute) {
    std::string here = std::filesystem::current_path();
    EXPECT_EQ(absolute("a/../b/"), here + "/b");
    EXPECT_EQ(absolute("."), here);
    EXPECT_EQ(absolute("/a/./b//"), "/a/b");
    EXPECT_EQ(absolute("/"), "/");
}

TEST(PathsTest, WhatLeadsElsewhereIsTold) {
    using std::string_view_literals::operator""sv;
    for (std::string_view path : {"base/5/1", "a", "..a/b..", ".hidden"})
        EXPECT_TRUE(stays_below(path)) << path;
    for (std::string_view path :
         {""sv, "/a"sv, "a//b"sv, "a/"sv, ".."sv, "a/../b"sv, "./a"sv, "a\0b"sv})
        EXPECT_FALSE(stays_below(path)) << path;
}

}  // namespace
}  // namespace tarn::sys
