// Objects as files: what can be put, listed, and what is refused.
#include "objects/directory_store.h"

#include <gtest/gtest.h>

#include "sys/files.h"
#include "sys/sim_disk.h"

namespace tarn::objects {
namespace {

std::vector<std::string> names(ObjectStore& store, const std::string& prefix) {
    auto found = store.list(prefix);
    EXPECT_TRUE(found.ok()) << found.error().text();
    std::vector<std::string> names;
    for (const ObjectInfo& each : *found)
        names.push_back(fmt::format("{} {}", each.name, each.bytes));
    return names;
}

TEST(DirectoryStore, WhatIsPutIsListedReadAndRemoved) {
    sys::SimDisk disk(1);
    DirectoryStore store(disk, "/backups/here");
    EXPECT_TRUE(names(store, "").empty());
    ASSERT_TRUE(store.put("b/2", "second").ok());
    ASSERT_TRUE(store.put("b/10/x", "").ok());
    ASSERT_TRUE(store.put("a", std::string(100'000, 'a')).ok());
    ASSERT_TRUE(store.put("b/2", "second").ok()) << "once more is fine";
    using Names = std::vector<std::string>;
    EXPECT_EQ(names(store, ""), (Names{"a 100000", "b/10/x 0", "b/2 6"}));
    EXPECT_EQ(names(store, "b/"), (Names{"b/10/x 0", "b/2 6"}));
    EXPECT_EQ(names(store, "b/1"), (Names{"b/10/x 0"}));
    EXPECT_EQ(names(store, "b/10/"), (Names{"b/10/x 0"}));
    EXPECT_EQ(names(store, "c"), Names{});
    EXPECT_EQ(*store.get("b/2"), "second");
    EXPECT_EQ(store.get("b/3").error().code(), Code::not_found);
    ASSERT_TRUE(store.remove("b/2").ok());
    ASSERT_TRUE(store.remove("b/2").ok()) << "what is not there is removed";
    EXPECT_EQ(names(store, "b"), (Names{"b/10/x 0"}));
}

TEST(DirectoryStore, NamesThatLeadElsewhereAreRefused) {
    sys::SimDisk disk(1);
    DirectoryStore store(disk, "/backups");
    for (const char* name : {"", "/", "a/", "/a", "a//b", "../a", "a/../b", ".hidden", "a/.b",
                             "a b", "a\n", "\xc3\xa4"}) {
        EXPECT_EQ(store.put(name, "x").error().code(), Code::invalid_argument) << name;
        EXPECT_EQ(store.get(name).error().code(), Code::invalid_argument) << name;
    }
    EXPECT_FALSE(store.put(std::string(kObjectNameMax + 1, 'a'), "x").ok());
    EXPECT_FALSE(store.put("large", std::string(kObjectBytesMax + 1, 'a')).ok());
    EXPECT_TRUE(names(store, "").empty());
}

TEST(DirectoryStore, AFullDiskLeavesNothing) {
    sys::SimDisk disk(1);
    DirectoryStore store(disk, "/backups");
    ASSERT_TRUE(store.put("small", "x").ok());
    disk.limit_space(1000);
    auto refused = store.put("large", std::string(5000, 'x'));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), Code::no_space) << refused.error().text();
    EXPECT_EQ(*sys::list_names(disk, "/backups"), std::vector<std::string>{"small"});
}

// A file as a writer leaves it that dies before the rename.
TEST(DirectoryStore, LeftoversOfDeadWritersGoByTheirAge) {
    sys::SimDisk disk(1);
    DirectoryStore store(disk, "/backups");
    ASSERT_TRUE(store.put("objects/ab/abcd", "x").ok());
    EXPECT_EQ(*store.remove_leftovers("objects", Time::max()), 0u);
    EXPECT_EQ(*store.remove_leftovers("backups", Time::max()), 0u) << "not there yet";
    auto leave = [&](const std::string& name) {
        ASSERT_TRUE(sys::write_scratch(disk, "/backups/objects/ab/" + name, "half").ok());
    };
    Time time{std::chrono::hours{500'000}};
    int64_t microseconds = time.time_since_epoch().count();
    leave(fmt::format(".abcd.{:016x}.0123456789abcdef", microseconds));
    leave(fmt::format(".abcd.{:016x}.0123456789abcdef", microseconds + 1));
    leave(".abcd.fedcba9876543210");  // as an earlier version wrote it
    for (const char* other : {".hidden", ".nfs0123456789abcdef", ".snapshot"}) leave(other);
    // Whoever else has files at that place keeps them.
    ASSERT_EQ(disk.make_directory("/backups/others", 0700), 0);
    ASSERT_TRUE(sys::write_scratch(disk, "/backups/others/.a.fedcba9876543210", "mine").ok());
    EXPECT_EQ(*store.remove_leftovers("objects", time + Span{1}), 2u);
    EXPECT_EQ(sys::list_names(disk, "/backups/objects/ab")->size(), 5u);
    EXPECT_EQ(*store.remove_leftovers("objects", Time::max()), 1u);
    EXPECT_EQ(sys::list_names(disk, "/backups/others")->size(), 1u);
    EXPECT_EQ(*store.get("objects/ab/abcd"), "x");
}

}  // namespace
}  // namespace tarn::objects
