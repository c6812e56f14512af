#include "wal/wal_compression.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "sys/files.h"
#include "sys/randomness.h"
#include "wal/compressed_segment.h"
#include "wal/wal_carry.h"
#include "wal/wal_files.h"
#include "wal/wal_trim.h"

namespace tarn::wal {
namespace {

namespace fs = std::filesystem;

// Half of it can be compressed.
std::string contents_of(uint64_t seed, size_t bytes) {
    std::string contents(bytes, '\0');
    sys::SeededRandom(seed).fill(contents.data(), bytes / 2);
    return contents;
}

TEST(CompressedSegment, ComesBackAsItWas) {
    for (size_t bytes : {size_t{0}, size_t{1}, size_t{100'000}, size_t{kSegmentBytes}}) {
        std::string plain = contents_of(bytes, bytes);
        auto file = compress_segment({7, 42}, plain, [] { return true; });
        ASSERT_TRUE(file.ok()) << file.error().text();
        auto again = decompress_segment({7, 42}, file->value(), "it");
        ASSERT_TRUE(again.ok()) << again.error().text();
        EXPECT_TRUE(*again == plain) << bytes;
    }
}

TEST(CompressedSegment, EveryDamagedByteIsDataLoss) {
    const std::string file =
        compress_segment({7, 42}, contents_of(1, 2000), [] { return true; })->value();
    auto is_refused = [](SegmentId segment, const std::string& bytes) {
        auto plain = decompress_segment(segment, bytes, "it");
        return !plain.ok() && plain.error().code() == Code::data_loss;
    };
    for (size_t at = 0; at < file.size(); ++at) {
        std::string damaged = file;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        ASSERT_TRUE(is_refused({7, 42}, damaged)) << "byte " << at;
        ASSERT_TRUE(is_refused({7, 42}, file.substr(0, at))) << "cut at " << at;
    }
    EXPECT_TRUE(is_refused({7, 42}, file + "x"));
    EXPECT_TRUE(is_refused({7, 43}, file)) << "another segment";
    EXPECT_TRUE(is_refused({8, 42}, file)) << "another timeline";
}

class WalCompression : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/tarn-wal-XXXXXX";
        directory_ = ::mkdtemp(name);
        archive_ = directory_ + "/wal_archive";
        for (const char* folder : {"/wal", "/wal_archive", "/target"})
            fs::create_directories(directory_ + folder);
        for (uint64_t number : {3u, 4u, 5u}) {
            plain_[number] = contents_of(number, kSegmentBytes);
            std::ofstream(plain(number), std::ios::binary) << plain_[number];
        }
    }
    void TearDown() override { fs::remove_all(directory_); }

    std::string plain(uint64_t number) const { return archive_ + "/" + segment_name({1, number}); }
    std::string compressed(uint64_t number) const {
        return archive_ + "/" + compressed_name({1, number});
    }
    uint64_t compress_below(uint64_t number) {
        uint64_t all = 0;
        for (;;) {
            auto bytes = compress_next(sys::real_disk(), archive_,
                                       {Lsn{number * kSegmentBytes}, go_on_, unreadable_});
            EXPECT_TRUE(bytes.ok()) << bytes.error().text();
            if (!bytes.ok() || *bytes == 0) return all;
            all += *bytes;
        }
    }
    void remove_plain() { ASSERT_TRUE(remove_compressed(sys::real_disk(), archive_).ok()); }
    WalFiles files() const {
        return std::move(WalFiles::list(sys::real_disk(), directory_)).value();
    }
    Result<std::string> read(const WalFiles& from, uint64_t number) const {
        auto opened = TRY(from.open({1, number}));
        std::string bytes(kSegmentBytes + 1, '\0');
        bytes.resize(TRY(opened.read_some(bytes.data(), bytes.size(), 0)));
        return bytes;
    }

    std::string directory_, archive_;
    std::map<uint64_t, std::string> plain_;
    std::function<bool()> go_on_ = [] { return true; };
    Unreadable unreadable_;
};

TEST_F(WalCompression, IsReadAsThePlainOneWas) {
    WalFiles before = files();
    EXPECT_EQ(compress_below(5), 2 * kSegmentBytes);
    EXPECT_TRUE(fs::exists(plain(3))) << "it goes in a step of its own";
    remove_plain();
    EXPECT_FALSE(fs::exists(plain(3)));
    EXPECT_FALSE(fs::exists(plain(4)));
    EXPECT_TRUE(fs::exists(plain(5))) << "a replay may need it soon";
    EXPECT_LT(fs::file_size(compressed(3)), kSegmentBytes * 3 / 4);
    for (uint64_t number : {3u, 4u, 5u}) {
        EXPECT_TRUE(read(files(), number).value() == plain_[number]) << number;
        EXPECT_TRUE(read(before, number).value() == plain_[number]) << number << ", listed before";
    }
    char byte = 0;
    EXPECT_EQ(files().open({1, 3})->read_some(&byte, 1, kSegmentBytes).value(), 0u);
}

TEST_F(WalCompression, ThePlainOneWins) {
    EXPECT_EQ(compress_below(4), kSegmentBytes);
    std::fstream(compressed(3), std::ios::in | std::ios::out | std::ios::binary) << "damaged";
    EXPECT_TRUE(read(files(), 3).value() == plain_[3]);
}

TEST_F(WalCompression, ACopyHasPlainSegmentsOnly) {
    compress_below(6);
    remove_plain();
    for (bool cut : {true, false}) {
        std::string target = directory_ + "/target";
        auto carried = carry(sys::real_disk(), files(), target,
                             {.from = Lsn{3 * kSegmentBytes},
                              .tli = 1,
                              .end = Lsn{6 * kSegmentBytes},
                              .cut = cut,
                              .link_below = Lsn{cut ? 0 : 6 * kSegmentBytes}});
        ASSERT_TRUE(carried.ok()) << carried.error().text();
        for (uint64_t number : {3u, 4u, 5u}) {
            auto copy = sys::read_file(sys::real_disk(), target + "/" + segment_name({1, number}));
            ASSERT_TRUE(copy.ok()) << copy.error().text();
            EXPECT_TRUE(*copy == plain_[number]) << number;
        }
        EXPECT_EQ(sys::list_names(sys::real_disk(), target)->size(), 3u);
    }
}

TEST_F(WalCompression, WhatAnEndedLifeLeftIsArchived) {
    std::string wal = directory_ + "/wal";
    fs::rename(plain(4), wal + "/" + segment_name({1, 4}));
    fs::rename(plain(5), wal + "/" + segment_name({1, 5}));
    std::ofstream(wal + "/00000002.history") << "1";
    WalFiles before = files();
    // As a crash in between leaves it.
    fs::create_hard_link(wal + "/" + segment_name({1, 4}), plain(4));
    for (int again = 0; again < 2; ++again) {
        ASSERT_TRUE(archive_ended(sys::real_disk(), wal, archive_, Lsn{5 * kSegmentBytes}).ok());
        EXPECT_EQ(*sys::list_names(sys::real_disk(), wal),
                  (std::vector<std::string>{segment_name({1, 5}), "00000002.history"}))
            << "what was made ahead is nobody's";
    }
    for (uint64_t number : {3u, 4u, 5u}) {
        EXPECT_TRUE(read(files(), number).value() == plain_[number]) << number;
        EXPECT_TRUE(read(before, number).value() == plain_[number]) << number << ", listed before";
    }
    Lsn all{~uint64_t{0}};
    ASSERT_TRUE(archive_ended(sys::real_disk(), archive_, directory_ + "/nowhere", all).ok());
    EXPECT_TRUE(fs::exists(plain(3)));
}

TEST_F(WalCompression, OneThatCannotBeReadIsPassedOver) {
    fs::remove(plain(3));
    fs::create_directory(plain(3));  // reading it is an I/O error
    EXPECT_EQ(compress_below(6), 2 * kSegmentBytes);
    EXPECT_EQ(unreadable_, Unreadable{plain(3)}) << "and is named once";
    EXPECT_FALSE(fs::exists(compressed(3)));
    EXPECT_FALSE(has_uncompressed(sys::real_disk(), archive_, unreadable_).value());
    EXPECT_TRUE(has_uncompressed(sys::real_disk(), archive_, {}).value());
}

TEST_F(WalCompression, EndsInTheMiddleWhenItIsToldTo) {
    std::vector<size_t> asked;
    for (size_t limit = 0; limit < 40; limit += 3) {
        size_t asks = 0;
        go_on_ = [&] { return ++asks <= limit; };
        uint64_t bytes = compress_below(4);
        asked.push_back(asks);
        if (bytes > 0) break;
        EXPECT_EQ(sys::list_names(sys::real_disk(), archive_)->size(), 3u) << "nothing is left";
    }
    EXPECT_GT(asked.back(), 32u) << "before each megabyte that is read or compressed";
    EXPECT_TRUE(fs::exists(compressed(3)));
    remove_plain();
    EXPECT_TRUE(read(files(), 3).value() == plain_[3]);
}

TEST_F(WalCompression, DamageIsNamedAndNeverRead) {
    compress_below(4);
    remove_plain();
    std::fstream file(compressed(3), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100'000);
    file << "damaged";
    file.close();
    auto bytes = read(files(), 3);
    ASSERT_FALSE(bytes.ok());
    EXPECT_EQ(bytes.error().code(), Code::data_loss);
    EXPECT_NE(bytes.error().text().find(compressed(3)), std::string::npos) << bytes.error().text();
}

TEST_F(WalCompression, IsTrimmedLikeThePlainOne) {
    compress_below(5);
    remove_plain();
    std::ofstream(compressed(3) + ".tmp") << "a crash left it";
    ASSERT_TRUE(trim_wal(sys::real_disk(), archive_, Lsn{4 * kSegmentBytes}).ok());
    EXPECT_FALSE(fs::exists(compressed(3)));
    EXPECT_FALSE(fs::exists(compressed(3) + ".tmp"));
    EXPECT_TRUE(fs::exists(compressed(4)));
    EXPECT_TRUE(fs::exists(plain(5)));
}

struct Place {
    size_t offset, bytes;
    bool operator==(const Place&) const = default;
};
#define FIELD(name)                                                          \
    {                                                                        \
#name, {                                                             \
            offsetof(CompressedHeader, name), sizeof(CompressedHeader::name) \
        }                                                                    \
    }

TEST(CompressedSegment, ThePagesByteTableIsWhatTheCodeDoes) {
    const std::map<std::string, Place> fields = {FIELD(magic),       FIELD(version),    FIELD(crc),
                                                 FIELD(total_bytes), FIELD(number),     FIELD(tli),
                                                 FIELD(plain_crc),   FIELD(plain_bytes)};
    std::map<std::string, Place> documented;
    std::ifstream page(std::string(TARN_SOURCE_DIRECTORY) + "/docs/formats/compressed-wal.md");
    for (std::string line; std::getline(page, line);) {
        std::istringstream row(line);
        char bar = 0;
        Place place{};
        std::string name;
        if (row >> bar >> place.offset >> bar >> place.bytes >> bar >> name && bar == '|')
            documented[name] = place;
    }
    EXPECT_TRUE(documented == fields);
}

}  // namespace
}  // namespace tarn::wal
