// What a manifest says comes back, and nothing else is believed.
#include "backup/manifest.h"

#include <gtest/gtest.h>

#include <chrono>

namespace tarn::backup {
namespace {

Manifest sample() {
    Manifest manifest;
    manifest.id = "20261122T101500.250Z-0a1b2c3d";
    manifest.source = "00000000000000ff";
    manifest.version = "0.1.0";
    manifest.taken = *parse_rfc3339("2026-11-22T10:15:00.25Z");
    manifest.directories = {"store/lineages/00000000000a0001/00000001/wal"};
    manifest.files = {
        {"meta.db", kPartBytes + 1, 0600, {7, kPartBytes + 1, 123}, {"", std::string(64, 'a')}},
        {"store/empty", 0, 0644, {}, {}}};
    manifest.problems = {"a lineage is damaged"};
    return manifest;
}

std::string with(std::string_view from, std::string_view to) {
    std::string text = encode(sample());
    size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
}

TEST(Manifest, ComesBackAsItWas) {
    Manifest was = sample();
    auto is = decode_manifest(encode(was));
    ASSERT_TRUE(is.ok()) << is.error().text();
    EXPECT_EQ(is->id, was.id);
    EXPECT_EQ(is->taken, was.taken);
    EXPECT_EQ(is->directories, was.directories);
    EXPECT_EQ(is->problems, was.problems);
    ASSERT_EQ(is->files.size(), 2u);
    EXPECT_EQ(is->files[0].stamp, was.files[0].stamp);
    EXPECT_EQ(is->files[0].parts, was.files[0].parts);
    EXPECT_EQ(is->files[1].mode, 0644u);
    EXPECT_EQ(is->bytes(), kPartBytes + 1);
}

TEST(Manifest, WhatCannotBeIsRefused) {
    for (const std::string& text :
         {std::string(), std::string("[]"), std::string("{}"), with("meta.db", "../meta.db"),
          with("meta.db", "/etc/passwd"), with("store/empty", "store//empty"),
          with("store/empty", "store/./empty"), with("00000001/wal", "../../../../../wal"),
          with(std::string(64, 'a'), std::string(63, 'a') + "/"),
          with(fmt::format("\"bytes\":{}", kPartBytes + 1), "\"bytes\":1"),
          with(fmt::format("\"bytes\":{}", kPartBytes + 1), "\"bytes\":-1"),
          with("2026-11-22T10:15", "yesterday"),
          with(fmt::format("\"part_bytes\":{}", kPartBytes), "\"part_bytes\":1")}) {
        auto refused = decode_manifest(text);
        ASSERT_FALSE(refused.ok()) << text;
        EXPECT_EQ(refused.error().code(), Code::data_loss) << refused.error().text();
    }
    auto newer = decode_manifest(with("\"tarn_backup\":1", "\"tarn_backup\":2"));
    EXPECT_EQ(newer.error().code(), Code::bad_request);
    std::string whole = encode(sample());
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(decode_manifest(whole.substr(0, size)).ok()) << size;
}

}  // namespace
}  // namespace tarn::backup
