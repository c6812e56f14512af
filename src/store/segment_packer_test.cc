// History moved into packed files, and read from there.
#include "store/segment_packer.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "store/give_back.h"
#include "store/page_log.h"
#include "store/slot_scan.h"
#include "store/test_directory.h"
#include "store/test_log.h"
#include "store/verify.h"
#include "sys/faulty_disk.h"

namespace tarn::store {
namespace {

constexpr FileId kFile{1, 10};
constexpr uint32_t kBlocks = 300;

// Lineage 1. Each round writes every block anew: text that says which round, or noise.
struct SegmentPackerTest : testing::Test {
    SegmentPackerTest() {
        good(store_.create_lineage({1, {}, {}}));
        begin(1, nullptr);
    }

    void begin(uint64_t lineage, const RestorePoint* base) {
        running_.reset();
        running_.emplace(store_, lineage, base);
    }
    static std::string page_of(int round, uint32_t block, bool noise) {
        std::string page(kBlockBytes, ' ');
        uint64_t state = static_cast<uint64_t>(round) * 1'000'003 + block;
        for (size_t at = 0; noise && at < page.size(); ++at) {
            state = state * 6364136223846793005 + 1442695040888963407;
            page[at] = static_cast<char>(state >> 56);
        }
        std::string text = fmt::format("round {} block {}", round, block);
        std::copy(text.begin(), text.end(), page.begin());
        return page;
    }
    void write(int round, uint32_t blocks, bool noise = false) {
        for (uint32_t block = 0; block < blocks; ++block)
            running_->write(kFile, block, page_of(round, block, noise).data());
    }
    RestorePoint seal() { return running_->seal(); }
    RestorePoint round(int round, bool noise = false) {
        write(round, kBlocks, noise);
        return seal();
    }
    std::vector<RestorePoint> rounds(int first, int last) {
        std::vector<RestorePoint> points;
        for (int each = first; each <= last; ++each) points.push_back(round(each));
        return points;
    }
    VersionSpans spans() { return good(version_spans(store_, good(store_.restore_points(1)))); }
    void give_back(const GiveBack::Branched& branched = {}) {
        good(give_back_.run(store_, 1, spans(), branched));
    }
    void thin(const std::set<RestorePointId>& thinned) {
        good(store_.collect_garbage(1, {{1, 1}, 1}, thinned));
    }
    uint64_t allocated() const {
        struct stat status {};
        std::string path = segment_path(store_.root().c_str(), kLog, 0, false).text;
        return ::stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512
                                                  : 0;
    }
    PackedNumbers packed() {
        return good(packed_numbers(store_.disk(), store_.root().c_str(), kLog));
    }
    std::string packed_file(uint32_t number) const {
        return packed_path(store_.root().c_str(), kLog, 0, number).text;
    }
    std::vector<PackedEntry> entries() {
        return good(open_packed(store_.disk(), store_.root().c_str(), kLog, 0, packed()[0].at(0)))
            .entries;
    }
    // Makes a packed page something else.
    void damage_packed(uint32_t number, const PackedEntry& entry) {
        auto file = good(sys::File::open(store_.disk(), packed_file(number), O_RDWR));
        std::string bytes(entry.bytes, 'x');
        good(file.write(bytes.data(), bytes.size(), entry.offset));
    }
    // As if its place had not become a hole yet. Of the first round.
    void put_back_into_slot(uint32_t block) {
        auto slots = good(sys::File::open(
            store_.disk(), segment_path(store_.root().c_str(), kLog, 0, false).text, O_RDWR));
        std::string page = page_of(1, block, false);
        good(slots.write(page.data(), page.size(), block * kBlockBytes));
    }
    void give_back_anew() {
        GiveBack anew;
        good(anew.run(store_, 1, spans(), GiveBack::Branched{}));
    }
    void expect_packed_anew(uint32_t number, const std::vector<RestorePoint>& points) {
        give_back_anew();
        EXPECT_EQ(packed()[0], std::vector<uint32_t>{number});
        expect_whole(points);
    }
    // What `verify` reads of a restore point, and what a branch of it does.
    void expect_whole(const RestorePoint& point, int round, bool noise = false) {
        auto right = [&](const FileRecord&, uint32_t block, const void* page) {
            EXPECT_EQ(std::memcmp(page, page_of(round, block, noise).data(), kBlockBytes), 0);
        };
        EXPECT_EQ(good(verify(store_.disk(), store_.root().c_str(), point, right)).pages, kBlocks);
        auto lineage = ++last_lineage_;
        good(store_.create_lineage({lineage, point.id, {}}));
        LogId log = good(store_.begin_incarnation(lineage));
        good(store_.create_map(log, &point));
        MappedMap mapped = good(MappedMap::open(store_.root(), log));
        auto pages = std::make_unique<PageLog>(store_.disk(), mapped.map());
        std::string bytes(kBlocks * kBlockBytes, '?');
        std::vector<void*> parts;
        for (uint32_t block = 0; block < kBlocks; ++block)
            parts.push_back(bytes.data() + block * kBlockBytes);
        ASSERT_EQ(pages->read(pages->map().find(kFile), 0, parts.data(), kBlocks), 0);
        for (uint32_t block = 0; block < kBlocks; ++block)
            ASSERT_EQ(std::memcmp(parts[block], page_of(round, block, noise).data(), kBlockBytes),
                      0);
        pages->close_descriptors();
        good(store_.remove_lineage(lineage));
    }

    // Of the rounds from the first one on.
    void expect_whole(const std::vector<RestorePoint>& points) {
        for (size_t at = 0; at < points.size(); ++at)
            expect_whole(points[at], static_cast<int>(at) + 1);
    }
    // Six rounds, packed after the third and again; the first packed file, which is gone by then.
    std::vector<RestorePoint> pack_twice(std::string& first) {
        auto points = rounds(1, 3);
        give_back();
        first = good(sys::read_file(store_.disk(), packed_file(0)));
        for (const RestorePoint& point : rounds(4, 6)) points.push_back(point);
        give_back();
        EXPECT_EQ(packed()[0], std::vector<uint32_t>{1});
        return points;
    }

    static constexpr LogId kLog{1, 1};
    static constexpr uint64_t kRound = kBlocks * kBlockBytes;
    static constexpr uint64_t kOfTheFileSystem = 64 << 10;  // to note down where the holes are
    TestDirectory directory_;
    sys::FaultyDisk disk_;
    Store store_ = good(Store::open(disk_, directory_.path() + "/store"));
    std::optional<TestLog> running_;
    GiveBack give_back_;
    uint64_t last_lineage_ = 1;
};

TEST_F(SegmentPackerTest, HistoryTakesLittleAndIsReadAsItWas) {
    auto points = rounds(1, 4);
    uint64_t before = allocated();
    give_back();
    EXPECT_LT(allocated(), before - 2 * kRound);
    ASSERT_EQ(packed()[0].size(), 1u);
    expect_whole(points);
    uint64_t bytes = 0;
    for (const VersionSpan& span : spans().spans)
        if (span.last + 1 < points.size()) bytes += span.bytes;
    EXPECT_LT(bytes, kRound / 10) << "what thinning counts";
}

TEST_F(SegmentPackerTest, WhatStaysIsInTheNextFileToo) {
    auto points = rounds(1, 3);
    give_back();
    ASSERT_EQ(packed()[0], std::vector<uint32_t>{0});
    for (const RestorePoint& point : rounds(4, 6)) points.push_back(point);
    thin({points[1].id});
    give_back();
    EXPECT_EQ(packed()[0], std::vector<uint32_t>{1});
    for (int each : {1, 3, 4, 5, 6}) expect_whole(points[static_cast<size_t>(each) - 1], each);
    EXPECT_EQ(entries().size(), 4 * kBlocks) << "of rounds 1, 3, 4 and 5";
}

// Of a moment whose pages are packed meanwhile, and packed anew.
TEST_F(SegmentPackerTest, AReaderNeverMissesAPageThatIsOnItsWay) {
    RestorePoint point = rounds(1, 2).front();
    std::atomic<bool> done = false;
    uint64_t times = 0;
    std::thread reader([&] {
        while (!done || times == 0) {
            auto right = [&](const FileRecord&, uint32_t block, const void* page) {
                ASSERT_EQ(std::memcmp(page, page_of(1, block, false).data(), kBlockBytes), 0);
            };
            auto read = verify(store_.disk(), store_.root().c_str(), point, right);
            ASSERT_TRUE(read.ok()) << read.error().text();
            ++times;
        }
    });
    for (int each = 3; each <= 20; ++each) {
        give_back();
        round(each);
    }
    done = true;
    reader.join();
    EXPECT_EQ(entries().size(), 18 * kBlocks) << "the segment was packed in every round";
}

TEST_F(SegmentPackerTest, PackedPagesGoWithTheirRestorePoints) {
    auto points = rounds(1, 6);
    give_back();
    ASSERT_TRUE(packed().contains(0));
    thin({points[1].id, points[2].id, points[3].id});
    give_back();
    EXPECT_EQ(entries().size(), 2 * kBlocks) << "of the first and the fifth";
    expect_whole(points[0], 1);
    expect_whole(points[4], 5);
}

TEST_F(SegmentPackerTest, WhatABranchReadsIsNotPacked) {
    auto points = rounds(1, 3);
    uint64_t before = allocated();
    give_back({points[0].id, points[1].id});
    EXPECT_EQ(allocated(), before);
    EXPECT_TRUE(packed().empty());
    give_back({points[1].id});
    EXPECT_EQ(packed()[0].size(), 1u);
    expect_whole(points[0], 1);
    expect_whole(points[1], 2);
}

// The second life goes on with what the first one wrote over in its last round.
TEST_F(SegmentPackerTest, WhatTheNewestShowsAgainIsNotPacked) {
    auto points = rounds(1, 3);
    begin(1, &points[1]);
    write(4, 1);
    seal();
    give_back();
    EXPECT_EQ(entries().size(), 2 * kBlocks + 1)
        << "rounds 1 and 3, and the block that was written";
    for (const PackedEntry& entry : entries())
        EXPECT_TRUE(entry.place < kBlocks + 1 || entry.place >= 2 * kBlocks) << entry.place;
}

TEST_F(SegmentPackerTest, WhatDoesNotGetSmallerStaysInItsSlot) {
    std::vector<RestorePoint> points{round(1, true), round(2)};
    uint64_t before = allocated();
    give_back();
    EXPECT_EQ(allocated(), before);
    expect_whole(points[0], 1, true);
    for (const PackedEntry& entry : entries()) EXPECT_EQ(entry.bytes, 0);
}

// Of what is packed some lies between pages that stay, and waits; but not for ever.
TEST_F(SegmentPackerTest, EveryPageThatIsPackedLosesItsSlot) {
    constexpr Time kNow{std::chrono::hours{1}};
    constexpr uint32_t kAlone = kBlocks / 2;
    RestorePoint first = round(1);
    uint32_t written = 0;
    for (uint32_t block = 0; block < kBlocks; ++block) {
        if (block >= kAlone && block % 4 == 0) continue;
        running_->write(kFile, block, page_of(2, block, false).data());
        ++written;
    }
    seal();
    uint64_t before = allocated();
    GiveBack waiting({.least_pages = 10, .least_slots = 0});
    auto run = [&](Time now) {
        good(waiting.run(store_, 1, spans(), GiveBack::Branched{}, now));
    };
    run(kNow);
    EXPECT_EQ(entries().size(), written);
    EXPECT_LE(allocated(), before - kAlone * kBlockBytes + kOfTheFileSystem);
    EXPECT_GT(allocated(), before - (kAlone + 8) * kBlockBytes - kOfTheFileSystem);
    run(kNow + GiveBackLimits().longest_wait);
    EXPECT_LE(allocated(), before - written * kBlockBytes + kOfTheFileSystem);
    expect_whole(first, 1);
}

TEST_F(SegmentPackerTest, FewPagesAreNotWorthIt) {
    round(1);
    write(2, GiveBackLimits().least_pages - 1);
    seal();
    give_back();
    EXPECT_TRUE(packed().empty());
    write(3, 1);
    seal();
    give_back();
    EXPECT_EQ(packed()[0].size(), 1u);
}

TEST_F(SegmentPackerTest, SoManyInARoundAndTheRestInTheNext) {
    rounds(1, 2);
    GiveBack some({.least_pages = 10, .pages_a_round = 100});
    for (uint64_t left = kBlocks; left > 0; left -= 100)
        EXPECT_EQ(good(some.run(store_, 1, spans(), GiveBack::Branched{})), 100u);
    EXPECT_EQ(good(some.run(store_, 1, spans(), GiveBack::Branched{})), 0u);
    EXPECT_EQ(entries().size(), kBlocks);
}

// As a crash leaves them between the making of one file and the end of the other.
TEST_F(SegmentPackerTest, TwoFilesOfASegmentBecomeOne) {
    std::string kept;
    auto points = pack_twice(kept);
    PackedEntry again = entries()[7];
    good(sys::write_scratch(store_.disk(), packed_file(0), kept));
    expect_whole(points);
    damage_packed(1, again);  // which the older one has too
    expect_packed_anew(2, points);
}

// The same where it is known that the slots are holes: each of the files has what the other has
// lost.
TEST_F(SegmentPackerTest, OfTwoFilesEachPageIsCompared) {
    std::string kept;
    auto points = pack_twice(kept);
    damage_packed(1, entries()[8]);
    good(sys::write_scratch(store_.disk(), packed_file(0), kept));
    PackedEntry older;
    std::memcpy(&older, kept.data() + sizeof(PackedHeader) + 7 * sizeof older, sizeof older);
    damage_packed(0, older);
    for (const RestorePoint& point : rounds(7, 8)) points.push_back(point);
    give_back();
    EXPECT_EQ(packed()[0], std::vector<uint32_t>{2});
    expect_whole(points);
}

// Nothing is made of what could not be read once, and it is read again in the next round.
TEST_F(SegmentPackerTest, AReadThatFailsOnceLosesNothing) {
    auto points = rounds(1, 3);
    give_back();
    for (const RestorePoint& point : rounds(4, 6)) points.push_back(point);
    // Of the header, of the entries, then of pages.
    for (int whole_reads : {0, 1, 2, 3, 40}) {
        auto shown = spans();
        disk_.fail_read("00000000.0.packed", -EIO, whole_reads);
        GiveBack anew;
        auto refused = anew.run(store_, 1, shown, GiveBack::Branched{});
        EXPECT_FALSE(refused.ok()) << whole_reads;
        EXPECT_TRUE(disk_.has_failed()) << whole_reads;
        EXPECT_EQ(packed()[0], std::vector<uint32_t>{0}) << whole_reads;
    }
    expect_whole(points);
    expect_packed_anew(1, points);
}

// A disk that is too full to pack gets the room that needs none, and is no failure.
TEST_F(SegmentPackerTest, AFullDiskLosesNothing) {
    auto points = rounds(1, 3);
    disk_.fail_write(".packed.tmp", -ENOSPC, 0);
    give_back();
    EXPECT_TRUE(disk_.has_failed());
    EXPECT_TRUE(packed()[0].empty());
    expect_whole(points);
    expect_packed_anew(0, points);
}

// Which is not taken over as whole when the segment is packed anew, though it can be unpacked.
TEST_F(SegmentPackerTest, APageThatBecameAnotherIsFound) {
    auto points = rounds(1, 3);
    give_back();
    auto file = good(sys::File::open(disk_, packed_file(0), O_RDWR));
    PackedHeader header;
    good(file.read(&header, sizeof header, 0));
    std::vector<PackedEntry> all = entries();
    all[7].offset = all[8].offset;
    all[7].bytes = all[8].bytes;
    size_t bytes = all.size() * sizeof(PackedEntry);
    header.crc = header.expected_crc(all.data(), bytes);
    good(file.write(&header, sizeof header, 0));
    good(file.write(all.data(), bytes, sizeof header));
    put_back_into_slot(7);
    for (const RestorePoint& point : rounds(4, 5)) points.push_back(point);
    give_back_anew();
    ASSERT_EQ(packed()[0], std::vector<uint32_t>{1});
    expect_whole(points);
}

TEST_F(SegmentPackerTest, ADamagedCopyDoesNotHideAWholeOne) {
    std::string kept;
    pack_twice(kept);
    PackedEntry entry;
    std::memcpy(&entry, kept.data() + sizeof(PackedHeader) + 7 * sizeof entry, sizeof entry);
    ASSERT_EQ(entry.place, 7);
    std::string right = page_of(1, 7, false), page(kBlockBytes, '?');
    auto reader = std::make_unique<PackedReader>();
    PackedReader::Wanted wanted{kLog, 7, crc32c(0, right.data(), kBlockBytes)};
    for (uint32_t at = 0; at < entry.bytes; at += 3) {
        std::string damaged = kept;
        damaged[entry.offset + at] = static_cast<char>(damaged[entry.offset + at] ^ 1);
        good(sys::write_scratch(store_.disk(), packed_file(0), damaged));
        ASSERT_EQ(reader->read(store_.disk(), store_.root().c_str(), wanted, page.data()), 0) << at;
        ASSERT_EQ(page, right) << at;
    }
}

// As power losses leave them that undo what has been removed.
TEST_F(SegmentPackerTest, WhatAnotherFileHasTooGoesAgain) {
    std::string kept;
    auto points = pack_twice(kept);
    std::string newest = good(sys::read_file(store_.disk(), packed_file(1)));
    for (uint32_t number : {0u, 2u})
        good(sys::write_scratch(store_.disk(), packed_file(number), kept));
    give_back_anew();
    EXPECT_EQ(packed()[0], std::vector<uint32_t>{1});
    EXPECT_EQ(good(sys::read_file(store_.disk(), packed_file(1))), newest);
    expect_whole(points);
}

// Before its place became a hole, as a crash leaves it.
TEST_F(SegmentPackerTest, APageInItsSlotOutlivesADamagedPackedOne) {
    auto points = rounds(1, 3);
    give_back();
    damage_packed(0, entries()[7]);
    put_back_into_slot(7);
    for (const RestorePoint& point : rounds(4, 5)) points.push_back(point);
    give_back_anew();
    ASSERT_EQ(packed()[0], std::vector<uint32_t>{1});
    expect_whole(points);
}

TEST_F(SegmentPackerTest, DamageOfAPackedPageIsFoundAndNothingElseIsLost) {
    auto points = rounds(1, 3);
    give_back();
    damage_packed(0, entries()[7]);
    auto damaged = verify(store_.disk(), store_.root().c_str(), points[0]);
    ASSERT_FALSE(damaged.ok());
    EXPECT_EQ(damaged.error().code(), Code::data_loss);
    PagePlace place = place_of(store_.disk(), store_.root().c_str(), kLog, 7);
    EXPECT_EQ(place.path, packed_file(0));
    EXPECT_EQ(place.offset, entries()[7].offset);
    expect_whole(points[1], 2);
    // It is still there, and still damage, when the segment has been packed anew.
    for (const RestorePoint& point : rounds(4, 5)) points.push_back(point);
    give_back_anew();
    ASSERT_EQ(packed()[0], std::vector<uint32_t>{1});
    EXPECT_FALSE(verify(store_.disk(), store_.root().c_str(), points[0]).ok());
    for (int each = 2; each <= 5; ++each) expect_whole(points[static_cast<size_t>(each) - 1], each);
}

// Of damaged entries nothing is believed, and nothing built upon.
TEST_F(SegmentPackerTest, ADamagedFileIsNamedAndStays) {
    rounds(1, 3);
    give_back();
    auto file = good(sys::File::open(store_.disk(), packed_file(0), O_RDWR));
    good(file.write("y", 1, sizeof(PackedHeader) + 3));
    EXPECT_FALSE(open_packed(store_.disk(), store_.root().c_str(), kLog, 0, 0).ok());
    EXPECT_EQ(place_of(store_.disk(), store_.root().c_str(), kLog, 7).path, packed_file(0));
    RestorePoint newest = round(4);
    auto refused = give_back_.run(store_, 1, spans(), GiveBack::Branched{});
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().text().find(packed_file(0)), std::string::npos);
    EXPECT_EQ(packed()[0], std::vector<uint32_t>{0});
    expect_whole(newest, 4);
}

TEST_F(SegmentPackerTest, DamageIsLeftInItsSlot) {
    rounds(1, 2);
    auto file = good(sys::File::open(
        store_.disk(), segment_path(store_.root().c_str(), kLog, 0, false).text, O_RDWR));
    good(file.write("?", 1, 5 * kBlockBytes));
    give_back();
    for (const PackedEntry& entry : entries()) EXPECT_EQ(entry.bytes == 0, entry.place == 5);
    char byte = 0;
    good(file.read(&byte, 1, 5 * kBlockBytes));
    EXPECT_EQ(byte, '?');
}

TEST(PackedNames, AreOfTheirSegments) {
    EXPECT_EQ(segment_in("00000012.2.packed"), 12u);
    for (const char* name : {"00000012.3.packed", "00000012.packed", "0000012.1.packed",
                             "00000012.1.packed.tmp", "00000012.11.packed"})
        EXPECT_EQ(segment_in(name), std::nullopt) << name;
}

}  // namespace
}  // namespace tarn::store
