#include "store/restore_point.h"

#include <gtest/gtest.h>

#include "store/codec.h"
#include "store/paths.h"
#include "store/test_directory.h"
#include "sys/randomness.h"

namespace tarn::store {
namespace {

RestorePoint example() {
    RestorePoint point;
    point.id = {{0x1234, 7}, 3};
    point.seal_slot = 1000;
    point.next_birth = 90;
    point.holes = {5, 17, 999};
    point.indexes = {{0x1234, 7, 3}, {0x1234, 6, 1}, {0x77, 1, 12}};
    point.files = {{{1, 2}, 3, 4}, {{1, 3}, 89, 0}, {{2, 0}, 1, kMaxBlocks}};
    point.attachments = {{"control", std::string(8192, 'c')}, {"empty", ""}, {"", "nameless"}};
    return point;
}

void expect_same(const RestorePoint& a, const RestorePoint& b) {
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(a.seal_slot, b.seal_slot);
    EXPECT_EQ(a.next_birth, b.next_birth);
    EXPECT_EQ(a.holes, b.holes);
    EXPECT_EQ(encode(a), encode(b));
    EXPECT_EQ(a.attachments, b.attachments);
}

// Makes damaged bytes look whole to the checksum, so that the structure is what is put to the test.
std::string with_good_crc(std::string bytes) {
    uint32_t crc = record_crc(bytes);
    std::memcpy(bytes.data() + offsetof(RecordPrefix, crc), &crc, sizeof crc);
    return bytes;
}

TEST(RestorePoint, ReadsBackWhatWasSaved) {
    TestDirectory directory;
    sys::Disk& disk = sys::real_disk();
    RestorePoint point = example();
    std::string log = incarnation_directory(directory.path().c_str(), point.id.log).text;
    good(sys::make_directories(disk, log, sys::SyncSite::lineage_directory));
    good(save(disk, directory.path().c_str(), point));
    expect_same(good(load_restore_point(disk, directory.path().c_str(), point.id)), point);
}

TEST(RestorePoint, UnderAnotherNameIsDataLoss) {
    TestDirectory directory;
    sys::Disk& disk = sys::real_disk();
    const char* root = directory.path().c_str();
    RestorePoint point = example();
    good(sys::make_directories(disk, incarnation_directory(root, point.id.log).text,
                               sys::SyncSite::lineage_directory));
    good(save(disk, root, point));
    RestorePointId other = {point.id.log, 4};
    ASSERT_EQ(disk.rename(restore_point_path(root, point.id.log, 3),
                          restore_point_path(root, other.log, other.number)),
              0);
    auto loaded = load_restore_point(disk, root, other);
    ASSERT_FALSE(loaded.ok());
    EXPECT_EQ(loaded.error().code(), Code::data_loss);
}

TEST(RestorePoint, EveryFlippedBitIsDataLossOrAnotherVersion) {
    std::string bytes = encode(example());
    for (size_t bit = 0; bit < 2000 * 8 && bit < bytes.size() * 8; ++bit) {
        std::string damaged = bytes;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
        auto decoded = decode_restore_point(damaged);
        ASSERT_FALSE(decoded.ok()) << "bit " << bit;
        bool in_version = bit / 8 >= offsetof(RecordPrefix, version) &&
                          bit / 8 < offsetof(RecordPrefix, version) + sizeof(uint32_t);
        EXPECT_EQ(decoded.error().code(), in_version ? Code::unimplemented : Code::data_loss);
    }
}

TEST(RestorePoint, EveryCutIsDataLoss) {
    std::string bytes = encode(example());
    for (size_t size = 0; size < bytes.size(); ++size)
        ASSERT_FALSE(decode_restore_point(std::string_view(bytes).substr(0, size)).ok());
    ASSERT_FALSE(decode_restore_point(bytes + '\0').ok());
}

// The decoder is given bytes whose checksum is right but whose contents are not: it may believe or
// refuse them, never die of them.
TEST(RestorePoint, DecodesAnyBytesWithoutAborting) {
    sys::SeededRandom random(1);
    std::string bytes = encode(example());
    int believed = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string damaged = bytes;
        if (random.one_in(4)) damaged.resize(24 + random.below(damaged.size() - 24));
        for (uint64_t i = random.below(6) + 1; i > 0; --i) {
            // Mostly counts and lengths, which lie at the front.
            size_t at = 24 + random.below(random.one_in(3) ? damaged.size() - 24 : 60);
            if (at < damaged.size()) damaged[at] = static_cast<char>(random.number());
        }
        uint64_t size = damaged.size();
        std::memcpy(damaged.data() + offsetof(RecordPrefix, total_bytes), &size, sizeof size);
        auto decoded = decode_restore_point(with_good_crc(std::move(damaged)));
        if (decoded.ok())
            ++believed;
        else
            ASSERT_NE(decoded.error().code(), Code::internal);
    }
    EXPECT_GT(believed, 0);  // else the checksum trick does not work, and nothing was tested
    EXPECT_LT(believed, 20000);
}

TEST(RestorePoint, BrokenRulesAreNotSaved) {
    auto refuses = [](auto break_rule) {
        RestorePoint point = example();
        break_rule(point);
        return !save(sys::real_disk(), "/nowhere", point).ok() &&
               !decode_restore_point(encode(point)).ok();
    };
    EXPECT_TRUE(refuses([](RestorePoint& point) { point.id.number = 0; }));
    EXPECT_TRUE(refuses([](RestorePoint& point) { point.holes = {17, 5}; }));
    EXPECT_TRUE(refuses([](RestorePoint& point) { point.holes = {1000}; }));
    EXPECT_TRUE(refuses([](RestorePoint& point) { std::swap(point.files[0], point.files[1]); }));
    EXPECT_TRUE(refuses([](RestorePoint& point) { point.next_birth = 89; }));
    EXPECT_TRUE(refuses([](RestorePoint& point) { point.files[0].birth = 0; }));
    EXPECT_TRUE(refuses([](RestorePoint& point) { point.files[0].length = kMaxBlocks + 1; }));
    EXPECT_TRUE(refuses([](RestorePoint& point) { point.indexes.resize(kMaxIndexes + 1); }));
}

}  // namespace
}  // namespace tarn::store
