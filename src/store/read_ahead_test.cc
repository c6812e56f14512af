#include "store/read_ahead.h"

#include <gtest/gtest.h>

#include <vector>

namespace tarn::store {
namespace {

constexpr uint32_t kRead = 16;       // blocks, as PostgreSQL 17 combines them
constexpr uint32_t kWhole = 131072;  // of a file of 1 GiB

TEST(ReadAhead, OneColdReadOfAStreamIsTheLast) {
    FileEntry file;
    ReadAhead ahead;
    std::vector<bool> fetched(kWhole);
    uint32_t cold_reads = 0, windows = 0;
    for (uint32_t block = 0; block < kWhole; block += kRead) {
        bool cold = ahead.follows(&file, block) && !fetched[block + kRead - 1];
        cold_reads += cold;
        auto window = ahead.next(&file, block, kRead, cold);
        windows += window.count > 0;
        for (uint32_t i = window.block; i < window.block + window.count && i < kWhole; ++i) {
            ASSERT_FALSE(fetched[i]) << "asked for twice: block " << i;
            ASSERT_GE(i, block + kRead) << "asked for when it has been read";
            fetched[i] = true;
        }
    }
    EXPECT_EQ(cold_reads, 1u);
    EXPECT_LE(windows, 140u);  // they grow: 8 MiB each in the end
}

TEST(ReadAhead, AWindowIsAskedForWhileTheOneBeforeIsStillAhead) {
    FileEntry file;
    ReadAhead ahead;
    uint32_t fetched = 0, before = 0;
    for (uint32_t block = 0; block < kWhole; block += kRead) {
        auto window = ahead.next(&file, block, kRead, block > 0 && fetched == 0);
        if (window.count == 0) continue;
        if (fetched > 0) {
            EXPECT_EQ(window.block, fetched);
            EXPECT_GE(fetched - block, before) << "at block " << block;
        }
        fetched = window.block + window.count;
        before = window.count;
    }
    EXPECT_GE(fetched, kWhole);
}

TEST(ReadAhead, WhatIsCachedOrReadHereAndThereIsLeftAlone) {
    FileEntry file, other;
    ReadAhead ahead;
    for (uint32_t block = 0; block < 4096; block += kRead)
        EXPECT_EQ(ahead.next(&file, block, kRead, false).count, 0u);
    for (uint32_t i = 0; i < 100; ++i)
        EXPECT_EQ(ahead.next(&other, i * 7919 % 4096, 1, true).count, 0u);
}

}  // namespace
}  // namespace tarn::store
