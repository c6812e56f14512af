#include "store/file_changes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "store/lineage.h"
#include "store/test_directory.h"
#include "store/test_log.h"

namespace tarn::store {
namespace {

constexpr FileId kFiles[] = {{1, 10}, {1, 11}, {1, 12}};
constexpr uint32_t kBlocks = 40;

// A file as the model has it: the byte that fills each block.
using Contents = std::map<FileId, std::vector<int>>;

// A lineage that is written to, and what it should hold.
class Side {
  public:
    Side(Store& store, uint64_t lineage, const RestorePoint* base, Contents contents)
        : contents_(std::move(contents)) {
        good(store.create_lineage({lineage, base ? base->id : RestorePointId{}, {}}));
        running_.emplace(store, lineage, base);
    }

    void change(std::mt19937& dice) {
        FileId id = kFiles[dice() % std::size(kFiles)];
        auto& blocks = contents_[id];
        if (dice() % 8 == 0 && !blocks.empty()) {
            auto left = static_cast<uint32_t>(dice() % blocks.size());
            ASSERT_EQ(running_->pages().truncate(running_->file(id), left), 0);
            blocks.resize(left);
            return;
        }
        // At most one block behind the end, as PostgreSQL does it. Few values: equal ones happen.
        auto block = static_cast<uint32_t>(dice() % std::min<size_t>(blocks.size() + 1, kBlocks));
        int fill = static_cast<int>(dice() % 3) + 1;
        unsigned char page[kBlockBytes];
        std::fill(std::begin(page), std::end(page), static_cast<unsigned char>(fill));
        running_->write(id, block, page);
        if (blocks.size() <= block) blocks.resize(block + 1);
        blocks[block] = fill;
    }

    RestorePoint seal() { return running_->seal(); }
    const Contents& contents() const { return contents_; }

  private:
    Contents contents_;
    std::optional<TestLog> running_;
};

// The blocks that differ; all of them if the two are no one file (cut to nothing, it is another).
std::vector<uint32_t> expected(const std::vector<int>& one, const std::vector<int>& other,
                               bool one_file) {
    std::vector<uint32_t> blocks;
    for (uint32_t block = 0; block < std::max(one.size(), other.size()); ++block)
        if (!one_file || block >= one.size() || block >= other.size() || one[block] != other[block])
            blocks.push_back(block);
    return blocks;
}

struct FileChangesTest : testing::Test {
    TestDirectory directory;
    Store store = good(Store::open(sys::real_disk(), directory.path() + "/store"));

    std::vector<FileChange> compared(const RestorePoint& one, const RestorePoint& other) {
        auto reader = good(PointReader::load(store.disk(), store.root(), one));
        auto other_reader = good(PointReader::load(store.disk(), store.root(), other));
        return good(file_changes(reader, other_reader));
    }
    static uint64_t birth(const RestorePoint& point, FileId id) {
        for (const FileRecord& file : point.files)
            if (file.id == id) return file.birth;
        return 0;
    }
    void expect_as_model(const RestorePoint& one, Contents was, const RestorePoint& other,
                         Contents is) {
        auto changes = compared(one, other);
        for (FileId id : kFiles) {
            auto blocks = expected(was[id], is[id], birth(one, id) == birth(other, id));
            auto change = std::find_if(changes.begin(), changes.end(),
                                       [&](const FileChange& each) { return each.id == id; });
            if (change == changes.end()) {
                EXPECT_TRUE(blocks.empty()) << "file " << id.lo;
                continue;
            }
            EXPECT_EQ(change->changed, blocks.size()) << "file " << id.lo;
            for (uint32_t block : blocks)
                EXPECT_TRUE(std::any_of(change->blocks.begin(), change->blocks.end(),
                                        [&](const BlockRange& range) {
                                            return range.begin <= block && block < range.end;
                                        }))
                    << "file " << id.lo << " block " << block;
        }
    }
};

TEST_F(FileChangesTest, MomentsAndBranchesDifferInTheBlocksThatTheModelSays) {
    for (uint32_t seed = 1; seed <= 30; ++seed) {
        SCOPED_TRACE(seed);
        std::mt19937 dice(seed);
        Side parent(store, seed * 10, nullptr, {});
        for (int step = 0; step < 60; ++step) parent.change(dice);
        RestorePoint early = parent.seal();
        Contents early_contents = parent.contents();
        for (int round = 0; round < 3; ++round) {
            for (int step = 0; step < 10; ++step) parent.change(dice);
            parent.seal();
        }
        RestorePoint base = parent.seal();
        expect_as_model(early, early_contents, base, parent.contents());
        EXPECT_TRUE(compared(base, base).empty());

        Side one(store, seed * 10 + 1, &base, parent.contents());
        Side other(store, seed * 10 + 2, &base, parent.contents());
        for (int round = 0; round < 3; ++round) {
            for (int step = 0; step < 12; ++step) one.change(dice), other.change(dice);
            RestorePoint left = one.seal();
            RestorePoint right = other.seal();
            expect_as_model(left, one.contents(), right, other.contents());
            expect_as_model(early, early_contents, right, other.contents());
        }
    }
}

TEST_F(FileChangesTest, NothingChangedIsNothingAndAFileOfOneSideIsWhole) {
    std::mt19937 dice(7);
    Side parent(store, 1, nullptr, {});
    for (int step = 0; step < 20; ++step) parent.change(dice);
    RestorePoint base = parent.seal();
    Side child(store, 2, &base, parent.contents());
    RestorePoint point = child.seal();
    EXPECT_TRUE(compared(base, point).empty());

    RestorePoint less = point;
    std::erase_if(less.files, [](const FileRecord& file) { return file.id == kFiles[0]; });
    auto changes = compared(less, point);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_TRUE(changes[0].replaced);
    EXPECT_EQ(changes[0].changed, parent.contents().at(kFiles[0]).size());
}

}  // namespace
}  // namespace tarn::store
