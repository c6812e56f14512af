// One thing damaged at a time, in real files: each is named, and nothing else.
#include "store/verify.h"

#include <gtest/gtest.h>

#include <fcntl.h>

#include "store/lineage.h"
#include "store/orphans.h"
#include "store/page_log.h"
#include "store/paths.h"
#include "store/test_directory.h"

namespace tarn::store {
namespace {

constexpr FileId kFile{1, 10};
constexpr FileId kOther{1, 11};

// Lineage 1 with three restore points: `first_` shows blocks 0 to 9 as first written, `second_` a
// newer block 3 and a shorter kOther; `third_` is far larger, so that its index holds the others'.
struct VerifierTest : testing::Test {
    VerifierTest() {
        good(store_.create_lineage({1, {}, {}}));
        log_ = good(store_.begin_incarnation(1));
        good(store_.create_map(log_, nullptr));
        good(store_.finish_incarnation({log_, {}, {}}));
        auto mapped = good(MappedMap::open(store_.root(), log_));
        PageLog pages(store_.disk(), mapped.map());
        for (uint32_t block = 0; block < 10; ++block) write(pages, kFile, block, 1);
        for (uint32_t block = 0; block < 4; ++block) write(pages, kOther, block, 1);
        first_ = seal(pages, nullptr);
        write(pages, kFile, 3, 2);
        EXPECT_EQ(pages.truncate(pages.map().find(kOther), 2), 0);
        second_ = seal(pages, &first_);
        for (uint32_t block = 10; block < 60; ++block) write(pages, kFile, block, 3);
        third_ = seal(pages, &second_);
        pages.close_descriptors();
    }

    static void write(PageLog& pages, FileId id, uint32_t block, int fill) {
        bool created;
        int failure;
        FileEntry* file = pages.map().find_or_create(id, &created, &failure);
        std::string page(kBlockBytes, static_cast<char>(fill));
        const void* data = page.data();
        ASSERT_EQ(pages.write(file, block, &data, 1), 0);
        pages.map().grow_length(file, block + 1);
    }
    RestorePoint seal(PageLog& pages, const RestorePoint* previous) {
        EXPECT_EQ(pages.seal("control", 7, 1), 0);
        ControlBuffer control;
        pages.map().read_control(&control);
        RestorePoint point = good(store_.index_seal(log_, previous, nullptr, control.seal_slot));
        add_live_files(point, pages.map());
        good(save(store_.disk(), store_.root().c_str(), point));
        return point;
    }

    void flip(const std::string& path, uint64_t offset) {
        auto file = good(sys::File::open(store_.disk(), path, O_RDWR));
        char byte;
        good(file.read(&byte, 1, offset));
        byte = static_cast<char>(byte ^ 4);
        good(file.write(&byte, 1, offset));
    }
    std::string segment(bool slots) const {
        return segment_path(store_.root().c_str(), log_, 0, slots).text;
    }
    std::string index(const RestorePoint& point) const {
        const IndexRef& ref = point.indexes[0];
        return index_path(store_.root().c_str(), {ref.lineage, ref.incarnation}, ref.number).text;
    }
    // What a new look at the three restore points finds: "point: block (why)" or "point: index".
    std::vector<std::string> look() {
        verifier_.emplace(store_.disk(), store_.root());
        std::vector<std::string> found;
        for (const RestorePoint* point : {&first_, &second_, &third_}) {
            bool readable = true;
            for (const IndexRef& ref : point->indexes)
                if (good(verifier_->index(ref))->unreadable) {
                    found.push_back(fmt::format("{}: index", point->id.number));
                    readable = false;
                }
            if (!readable) continue;
            for (const DamagedSlot* slot : good(verifier_->shown_by(*point)))
                found.push_back(fmt::format(
                    "{}: {}.{} ({})", point->id.number, slot->claim.file.id.lo, slot->claim.block,
                    slot->why.message().substr(0, slot->why.message().find(' '))));
        }
        return found;
    }
    std::string name(const RestorePoint& point, const char* what) const {
        return fmt::format("{}: {}", point.id.number, what);
    }

    using Found = std::vector<std::string>;
    TestDirectory directory_;
    Store store_ = good(Store::open(sys::real_disk(), directory_.path() + "/store"));
    LogId log_;
    RestorePoint first_, second_, third_;
    std::optional<Verifier> verifier_;
};

TEST_F(VerifierTest, AWholeStoreIsReadOnce) {
    EXPECT_EQ(look(), Found{});
    // 10 + 4 + 1 + 50 pages were written; the last index names most of them again.
    EXPECT_EQ(verifier_->counts().pages, 65u);
    EXPECT_EQ(verifier_->counts().indexes, 3u);
    EXPECT_TRUE(verifier_->unshown().empty());
}

TEST_F(VerifierTest, ADamagedPageHurtsThoseThatShowIt) {
    flip(segment(false), 3 * kBlockBytes + 4000);  // block 3 as first written
    EXPECT_EQ(look(), Found{name(first_, "10.3 (page)")});
    // A block beyond the length that is listed, or of another birth, is not shown.
    RestorePoint shorter = first_;
    shorter.files[0].length = 3;
    EXPECT_TRUE(good(verifier_->shown_by(shorter)).empty());
    shorter = first_;
    ++shorter.files[0].birth;
    EXPECT_TRUE(good(verifier_->shown_by(shorter)).empty());
    flip(segment(false), 3 * kBlockBytes + 4000);
    flip(segment(false), 5 * kBlockBytes);
    EXPECT_EQ(look(), (Found{name(first_, "10.5 (page)"), name(second_, "10.5 (page)"),
                             name(third_, "10.5 (page)")}));
    flip(segment(false), 5 * kBlockBytes);
    flip(segment(false), 13 * kBlockBytes);  // block 3 of the file that was cut to 2
    EXPECT_EQ(look(), Found{name(first_, "11.3 (page)")});
}

TEST_F(VerifierTest, ADamagedHeaderIsNamed) {
    // Behind what a page's own reader looks at: its checksum, then a byte of the birth.
    flip(segment(true), 3 * sizeof(SlotHeader));
    EXPECT_EQ(look(), Found{name(first_, "10.3 (header)")});
    flip(segment(true), 3 * sizeof(SlotHeader));
    flip(segment(true), 3 * sizeof(SlotHeader) + offsetof(SlotHeader, birth));
    EXPECT_EQ(look(), Found{name(first_, "10.3 (header)")});
}

TEST_F(VerifierTest, AnotherSlotsHeaderIsNotTaken) {
    auto file = good(sys::File::open(store_.disk(), segment(true), O_RDWR));
    SlotHeader header;
    good(file.read(&header, sizeof header, 4 * sizeof header));
    header.slot = 3;  // whole, in its place, but of block 4
    header.crc = header.expected_crc();
    good(file.write(&header, sizeof header, 3 * sizeof header));
    EXPECT_EQ(look(), Found{name(first_, "10.3 (header)")});
}

// As beside a compute that writes on: the window holds headers of slots yet to be written.
TEST_F(VerifierTest, AHeaderThatWasReadTooEarlyIsReadAgain) {
    auto file = good(sys::File::open(store_.disk(), segment(true), O_RDWR));
    SlotHeader written;
    const SlotHeader unwritten{};
    good(file.read(&written, sizeof written, 4 * sizeof written));
    good(file.write(&unwritten, sizeof unwritten, 4 * sizeof unwritten));
    auto claim = [&](uint32_t block) {
        return SlotClaim{{kFile, written.birth}, block, written.page_crc, log_, block};
    };
    SlotReader reader(store_.disk(), store_.root());
    good(reader.header(claim(3)));
    EXPECT_FALSE(reader.header(claim(4)).ok());
    good(reader.header(claim(3)));
    good(file.write(&written, sizeof written, 4 * sizeof written));
    good(reader.header(claim(4)));
}

TEST_F(VerifierTest, ADamagedIndexHurtsThoseThatNameIt) {
    ASSERT_NE(index(first_), index(second_));
    flip(index(second_), 60);
    Found found{name(second_, "index")};
    for (const IndexRef& ref : third_.indexes)
        if (ref.number == second_.indexes[0].number) found.push_back(name(third_, "index"));
    EXPECT_EQ(look(), found);
    EXPECT_EQ(store_.disk().unlink(index(second_).c_str()), 0);
    EXPECT_EQ(look(), found);
}

TEST_F(VerifierTest, AnIndexOutOfOrderIsDamagedThoughItsChecksumHolds) {
    auto contents = IndexContents{{log_}, {}};
    contents.files[{kFile, 1}].entries = {{5, 0, Location::at(1, 5).word},
                                          {4, 0, Location::at(1, 4).word}};
    IndexRef ref{1, log_.incarnation, 99};
    good(save_index(store_.disk(), store_.root().c_str(), ref, contents));
    Verifier verifier(store_.disk(), store_.root());
    ASSERT_TRUE(good(verifier.index(ref))->unreadable);
    contents.sources = {{2, 1}};
    contents.files.clear();
    ref.number = 100;
    good(save_index(store_.disk(), store_.root().c_str(), ref, contents));
    ASSERT_TRUE(good(verifier.index(ref))->unreadable);
}

TEST_F(VerifierTest, AMissingSegmentIsAllItsPages) {
    EXPECT_EQ(store_.disk().unlink(segment(false).c_str()), 0);
    EXPECT_EQ(look().size(), 14u + 12u + 62u);
}

TEST_F(VerifierTest, DamageThatNobodyShowsIsTold) {
    // As if the first restore point had gone and its index had not.
    flip(segment(false), 3 * kBlockBytes);
    Verifier verifier(store_.disk(), store_.root());
    for (const IndexRef& ref : first_.indexes) good(verifier.index(ref));
    for (const IndexRef& ref : third_.indexes) good(verifier.index(ref));
    EXPECT_TRUE(good(verifier.shown_by(third_)).empty());
    ASSERT_EQ(verifier.unshown().size(), 1u);
    EXPECT_EQ(verifier.unshown()[0]->claim.slot, 3u);
    good(verifier.shown_by(first_));
    EXPECT_TRUE(verifier.unshown().empty());
}

TEST_F(VerifierTest, WhatCannotBeOpenedIsNoDamage) {
    EXPECT_FALSE(is_damage(errno_error(EACCES, "open")));
    EXPECT_FALSE(is_damage(errno_error(EMFILE, "open")));
    EXPECT_TRUE(is_damage(errno_error(ENOENT, "open")));
    EXPECT_TRUE(is_damage(errno_error(EIO, "read")));
}

TEST_F(VerifierTest, OrphansAreToldWithTheirBytes) {
    auto orphans = [&](bool runs) {
        std::vector<std::string> found;
        auto add = [&](const std::vector<Orphan>& some) {
            for (const Orphan& each : some)
                found.push_back(each.path.substr(store_.root().size() + 1) + " " +
                                std::to_string(each.bytes));
        };
        add(good(orphans_of_store(store_)));
        add(good(orphans_of_lineage(store_, 1, runs, [](const IndexRef&) { return false; })));
        return found;
    };
    // All indexes are named by restore points of the disk, whatever was known before.
    EXPECT_EQ(orphans(false), Found{});
    auto put = [&](const std::string& path, const std::string& bytes) {
        good(sys::write_scratch(store_.disk(), store_.root() + "/" + path, bytes));
    };
    good(sys::make_directory(store_.disk(), store_.root() + "/lineages/0000000000000009"));
    good(sys::make_directory(store_.disk(), store_.root() + "/lineages/0000000000000001/00000002"));
    put("dropped-0000000000000001", "");
    put("dropped-0000000000000008", "");
    put("lineages/0000000000000009/lock", "12345");
    put("lineages/0000000000000001/kept_from.tmp", "123");
    put("lineages/0000000000000001/00000001/00000090.index", "1234");
    put("lineages/0000000000000001/00000001/core", "12");
    EXPECT_EQ(orphans(false), (Found{"dropped-0000000000000008 0", "lineages/0000000000000009 5",
                                     "lineages/0000000000000001/00000001/00000090.index 4",
                                     "lineages/0000000000000001/00000001/core 2",
                                     "lineages/0000000000000001/00000002 0",
                                     "lineages/0000000000000001/kept_from.tmp 3"}));
    // What a compute may be making right now is left out.
    EXPECT_EQ(orphans(true), (Found{"dropped-0000000000000008 0", "lineages/0000000000000009 5",
                                    "lineages/0000000000000001/00000001/core 2"}));
}

}  // namespace
}  // namespace tarn::store
