#include "store/index_writer.h"

#include <gtest/gtest.h>

#include "store/paths.h"
#include "store/test_directory.h"
#include "sys/randomness.h"

namespace tarn::store {
namespace {

constexpr LogId kLog{0xabc, 2};
constexpr FileId kFile{1, 1};

SlotHeader slot(uint64_t number, SlotKind kind, uint32_t block, FileId file = kFile,
                uint64_t birth = 1) {
    SlotHeader header{};
    header.page_crc = kind == SlotKind::page ? static_cast<uint32_t>(number * 7919 + 1) : 0;
    header.slot = number;
    header.lineage = kLog.lineage;
    header.incarnation = kLog.incarnation;
    header.kind = kind;
    header.file = file;
    header.birth = birth;
    header.block = block;
    header.crc = header.expected_crc();
    return header;
}

SlotHeader copy(uint64_t number, uint32_t block, uint32_t copied_slot) {
    SlotHeader header = slot(number, SlotKind::copy, block);
    header.copied_slot = copied_slot;
    header.crc = header.expected_crc();
    return header;
}

using Below = std::map<uint32_t, uint64_t>;  // slots by block

IndexContents build(const std::vector<SlotHeader>& slots, const Below& below = {}) {
    IndexBuilder builder(kLog);
    for (const SlotHeader& each : slots) builder.add(each);
    return good(builder.finish([&](const FileBirth&, uint32_t block) {
        auto found = below.find(block);
        return Result<std::optional<uint64_t>>(found == below.end() ? std::nullopt
                                                                    : std::optional(found->second));
    }));
}

// What an index answers: the slot, "zeros" as -1, "unknown" as -2.
int64_t ask(const std::string& bytes, uint32_t block, FileId file = kFile, uint64_t birth = 1) {
    IndexReader reader;
    EXPECT_EQ(reader.open(bytes.data(), bytes.size(), true), 0);
    IndexEntry entry;
    switch (reader.lookup(file, birth, block, &entry)) {
        case IndexAnswer::found:
            EXPECT_EQ(Location{entry.location}.source(), 1);
            return static_cast<int64_t>(Location{entry.location}.slot());
        case IndexAnswer::zeros:
            return -1;
        default:
            return -2;
    }
}

TEST(IndexBuilder, LaterSlotsWinAndMarksCut) {
    std::string bytes = encode(build({
        slot(10, SlotKind::page, 0),
        slot(11, SlotKind::page, 5),
        slot(12, SlotKind::page, 7),
        slot(13, SlotKind::truncate, 5),
        slot(14, SlotKind::page, 7),  // grown again
        slot(15, SlotKind::page, 0),
    }));
    EXPECT_EQ(ask(bytes, 0), 15);
    EXPECT_EQ(ask(bytes, 1), -2);
    EXPECT_EQ(ask(bytes, 5), -1);
    EXPECT_EQ(ask(bytes, 6), -1);
    EXPECT_EQ(ask(bytes, 7), 14);
    EXPECT_EQ(ask(bytes, 8), -1);
    EXPECT_EQ(ask(bytes, 0, kFile, 2), -2);
    EXPECT_EQ(ask(bytes, 0, {1, 2}), -2);
}

TEST(IndexBuilder, ALaterHigherCutLeavesWhatWasWrittenInBetween) {
    std::string bytes = encode(build({
        slot(1, SlotKind::page, 6),
        slot(2, SlotKind::truncate, 3),
        slot(3, SlotKind::page, 6),
        slot(4, SlotKind::page, 9),
        slot(5, SlotKind::truncate, 8),
    }));
    EXPECT_EQ(ask(bytes, 6), 3);
    EXPECT_EQ(ask(bytes, 9), -1);
    EXPECT_EQ(ask(bytes, 3), -1);
    EXPECT_EQ(ask(bytes, 2), -2);
}

TEST(IndexBuilder, ACopyCountsIfItWasMadeOfTheNewestVersionBeforeIt) {
    std::string bytes = encode(build(
        {
            slot(10, SlotKind::page, 0),
            copy(11, 0, 10),
            copy(12, 0, 11),
            slot(13, SlotKind::page, 1),  // drawn before the copy, and done after it
            copy(14, 1, 9),
            slot(15, SlotKind::page, 2),
            copy(16, 2, 15),
            slot(17, SlotKind::page, 2),
            copy(18, 3, 7),
            copy(19, 4, 7),
            copy(20, 5, 7),
            slot(21, SlotKind::unused, 6),
        },
        {{1, 9}, {3, 7}, {4, 8}}));
    EXPECT_EQ(ask(bytes, 0), 12);
    EXPECT_EQ(ask(bytes, 1), 13);
    EXPECT_EQ(ask(bytes, 2), 17);
    EXPECT_EQ(ask(bytes, 3), 18);  // its source is below
    EXPECT_EQ(ask(bytes, 4), -2);  // below is something younger
    EXPECT_EQ(ask(bytes, 5), -2);
    EXPECT_EQ(ask(bytes, 6), -2);
}

TEST(IndexBuilder, ACopyOfWhatWasCutOffDoesNotCount) {
    std::string bytes = encode(build(
        {
            slot(10, SlotKind::page, 5),
            slot(11, SlotKind::truncate, 4),
            copy(12, 5, 10),
            copy(13, 6, 3),  // of what lies below, before the mark
            copy(14, 1, 2),
            copy(15, 7, 1),
            slot(16, SlotKind::page, 7),
            copy(17, 7, 16),
        },
        {{1, 2}, {6, 3}, {7, 1}}));
    EXPECT_EQ(ask(bytes, 5), -1);
    EXPECT_EQ(ask(bytes, 6), -1);
    EXPECT_EQ(ask(bytes, 1), 14);
    EXPECT_EQ(ask(bytes, 7), 17);
}

TEST(IndexMerge, LeavesOutDeadFilesAndCarriesSources) {
    IndexContents older = build({slot(1, SlotKind::page, 0), slot(2, SlotKind::page, 0, {9, 9})});
    older.sources = {{0xabc, 1}};
    std::string older_bytes = encode(older);
    IndexReader reader;
    ASSERT_EQ(reader.open(older_bytes.data(), older_bytes.size(), true), 0);
    IndexContents merged = merge(build({slot(1, SlotKind::page, 1)}), reader,
                                 [](const FileBirth& file) { return file.id == kFile; });
    ASSERT_EQ(merged.sources, (std::vector<LogId>{kLog, {0xabc, 1}}));
    ASSERT_EQ(merged.files.size(), 1u);
    const auto& entries = merged.files.begin()->second.entries;
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(Location{entries[0].location}, Location::at(2, 1));
    EXPECT_EQ(Location{entries[1].location}, Location::at(1, 1));
}

// Any history, cut into stretches anywhere, stacked or merged in any way, says the same.
TEST(IndexMerge, StackedAndMergedIndexesAgreeWithOneOfTheWholeHistory) {
    for (uint64_t seed = 0; seed < 300; ++seed) {
        sys::SeededRandom random(seed);
        std::vector<SlotHeader> history;
        for (uint64_t i = 0; i < 60; ++i)
            history.push_back(slot(i, random.one_in(8) ? SlotKind::truncate : SlotKind::page,
                                   static_cast<uint32_t>(random.below(12)), {1, random.below(2)},
                                   1 + random.below(2)));
        std::string whole = encode(build(history));
        std::vector<std::string> stack;  // newest first
        for (size_t from = 0; from < history.size();) {
            size_t to = std::min(history.size(), from + 1 + random.below(20));
            IndexContents fresh = build({history.begin() + static_cast<ptrdiff_t>(from),
                                         history.begin() + static_cast<ptrdiff_t>(to)});
            while (!stack.empty() && random.one_in(2)) {
                IndexReader older;
                ASSERT_EQ(older.open(stack[0].data(), stack[0].size(), true), 0);
                fresh = merge(fresh, older, [](const FileBirth&) { return true; });
                stack.erase(stack.begin());
            }
            stack.insert(stack.begin(), encode(fresh));
            from = to;
        }
        for (uint64_t file = 0; file < 2; ++file)
            for (uint64_t birth = 1; birth <= 2; ++birth)
                for (uint32_t block = 0; block < 13; ++block) {
                    int64_t answer = -2;
                    for (size_t i = 0; i < stack.size() && answer == -2; ++i)
                        answer = ask(stack[i], block, {1, file}, birth);
                    int64_t expected = ask(whole, block, {1, file}, birth);
                    // At the bottom of a stack nobody knows: zeros.
                    EXPECT_EQ(std::max<int64_t>(answer, -1), std::max<int64_t>(expected, -1))
                        << "seed " << seed << " file " << file << " block " << block;
                }
    }
}

// Where an index can be saved.
struct IndexPlace {
    TestDirectory directory;
    sys::Disk& disk = sys::real_disk();
    const char* root = directory.path().c_str();
    IndexRef ref{kLog.lineage, kLog.incarnation, 1};
    IndexPlace() {
        good(sys::make_directories(disk, incarnation_directory(root, kLog).text,
                                   sys::SyncSite::lineage_directory));
    }
};

TEST(Index, DamageAnywhereIsFoundWhenItIsLoaded) {
    IndexPlace place;
    auto& [directory, disk, root, ref] = place;
    IndexContents contents = build({slot(1, SlotKind::page, 0), slot(2, SlotKind::page, 3)});
    good(save_index(disk, root, ref, contents));
    EXPECT_EQ(good(LoadedIndex::load(disk, root, ref)).sources(), std::vector<LogId>{kLog});
    EXPECT_EQ(good(checked_sources(disk, root, ref)), std::vector<LogId>{kLog});
    EXPECT_FALSE(save_index(disk, root, ref, contents).ok());  // never replaced
    Path path = index_path(root, kLog, 1);
    std::string bytes = good(sys::read_file(disk, path.text));
    auto expect_refused = [&](const std::string& damaged, size_t at) {
        good(sys::write_scratch(disk, path.text, damaged));
        auto loaded = LoadedIndex::load(disk, root, ref);
        ASSERT_FALSE(loaded.ok()) << "byte " << at;
        EXPECT_EQ(loaded.error().code(), Code::data_loss);
        auto checked = checked_sources(disk, root, ref);
        ASSERT_FALSE(checked.ok()) << "byte " << at;
        EXPECT_EQ(checked.error().code(), Code::data_loss);
    };
    for (size_t at = 0; at < bytes.size(); ++at) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
        expect_refused(damaged, at);
        expect_refused(bytes.substr(0, at), at);
    }
    expect_refused(bytes + '\0', bytes.size());
}

TEST(Index, OneOfManyPiecesIsCheckedWhole) {
    IndexPlace place;
    auto& [directory, disk, root, ref] = place;
    std::vector<SlotHeader> slots;
    for (uint32_t block = 0; block < 50'000; ++block)
        slots.push_back(slot(block + 1, SlotKind::page, block));
    good(save_index(disk, root, ref, build(slots)));
    EXPECT_EQ(good(checked_sources(disk, root, ref)), std::vector<LogId>{kLog});
    Path path = index_path(root, kLog, 1);
    std::string bytes = good(sys::read_file(disk, path.text));
    ASSERT_GT(bytes.size(), size_t{3} << 18);
    for (size_t at : {bytes.size() / 3, bytes.size() / 2, bytes.size() - 1}) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        good(sys::write_scratch(disk, path.text, damaged));
        EXPECT_EQ(checked_sources(disk, root, ref).error().code(), Code::data_loss) << at;
    }
}

// A reader of any bytes at all stays inside them (run under asan).
TEST(Index, AnyBytesAreReadWithoutLeavingThem) {
    sys::SeededRandom random(2);
    std::string bytes = encode(build({slot(1, SlotKind::page, 0), slot(2, SlotKind::page, 3),
                                      slot(3, SlotKind::page, 3, {4, 4})}));
    int opened = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string damaged = bytes;
        for (uint64_t i = random.below(3) + 1; i > 0; --i)
            damaged[16 + random.below(damaged.size() - 16)] = static_cast<char>(random.number());
        IndexReader reader;
        if (reader.open(damaged.data(), damaged.size(), false) < 0) continue;
        ++opened;
        IndexEntry entry;
        for (uint32_t block : {0u, 3u, 9u}) reader.lookup(kFile, 1, block, &entry);
        merge(IndexContents{}, reader, [](const FileBirth&) { return true; });
    }
    EXPECT_GT(opened, 0);
}

}  // namespace
}  // namespace tarn::store
