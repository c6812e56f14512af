#include "store/file_changes.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace tarn::store {

namespace {

using Page = std::array<char, kBlockBytes>;

bool is_same_index(const IndexRef& one, const IndexRef& other) {
    return one.lineage == other.lineage && one.incarnation == other.incarnation &&
           one.number == other.number;
}

// How many indexes at the end of both stacks are the same.
size_t shared_indexes(const RestorePoint& one, const RestorePoint& other) {
    size_t most = std::min(one.indexes.size(), other.indexes.size());
    size_t shared = 0;
    while (shared < most && is_same_index(*(one.indexes.rbegin() + static_cast<long>(shared)),
                                          *(other.indexes.rbegin() + static_cast<long>(shared))))
        ++shared;
    return shared;
}

void add_known(const PointReader& side, size_t shared, const FileRecord& file, uint32_t end,
               std::vector<uint32_t>& blocks) {
    for (size_t at = 0; at + shared < side.indexes().size(); ++at) {
        const IndexReader& index = side.indexes()[at].reader();
        const IndexFile* known = index.find(file.id, file.birth);
        if (!known) continue;
        const IndexEntry* entries = index.entries(known);
        for (uint32_t entry = 0; entry < known->entries; ++entry)
            if (entries[entry].block < end) blocks.push_back(entries[entry].block);
        for (uint32_t block = known->cut; block < end; ++block) blocks.push_back(block);
    }
}

// A copy lies in a higher slot than what it was made of.
Result<bool> is_copied_from(PointReader& side, SlotClaim copy, const SlotClaim& source) {
    while (copy.slot > source.slot) {
        auto slot = TRY(side.copied_slot(copy));
        if (!slot) return false;
        copy.slot = *slot;
    }
    return copy.slot == source.slot;
}

Result<bool> are_shared(PointReader& one, const std::optional<SlotClaim>& here, PointReader& other,
                        const std::optional<SlotClaim>& there) {
    if (!here || !there) return !here && !there;
    if (here->log != there->log || here->page_crc != there->page_crc) return false;
    if (here->slot > there->slot) return is_copied_from(one, *here, *there);
    return is_copied_from(other, *there, *here);
}

Result<bool> have_same_bytes(PointReader& one, const std::optional<SlotClaim>& here,
                             PointReader& other, const std::optional<SlotClaim>& there) {
    if (here && there && here->page_crc != there->page_crc) return false;
    Page page;
    Page other_page;
    TRY(one.read(here, page.data()));
    TRY(other.read(there, other_page.data()));
    return std::memcmp(page.data(), other_page.data(), kBlockBytes) == 0;
}

Result<FileChange> changes_of(PointReader& one, const FileRecord& in_one, PointReader& other,
                              const FileRecord& in_other, size_t shared) {
    uint32_t both = std::min(in_one.length, in_other.length);
    std::vector<uint32_t> blocks;
    add_known(one, shared, in_one, both, blocks);
    add_known(other, shared, in_other, both, blocks);
    std::sort(blocks.begin(), blocks.end());
    blocks.erase(std::unique(blocks.begin(), blocks.end()), blocks.end());
    FileChange change{.id = in_one.id, .blocks = {}};
    for (uint32_t block : blocks) {
        auto here = TRY(one.find(in_one, block));
        auto there = TRY(other.find(in_other, block));
        if (TRY(are_shared(one, here, other, there))) continue;
        append_range(change.blocks, {block, block + 1});
        if (!TRY(have_same_bytes(one, here, other, there))) ++change.changed;
    }
    for (uint32_t block = both; block < std::max(in_one.length, in_other.length); ++block) {
        append_range(change.blocks, {block, block + 1});
        ++change.changed;
    }
    return change;
}

FileChange replaced(FileId id, uint32_t blocks) {
    FileChange change{.id = id, .replaced = true, .blocks = {}, .changed = blocks};
    if (blocks > 0) change.blocks.push_back({0, blocks});
    return change;
}

}  // namespace

Result<std::vector<FileChange>> file_changes(PointReader& one, PointReader& other) {
    size_t shared = shared_indexes(one.point(), other.point());
    std::vector<FileChange> changes;
    for (const FileRecord& file : one.point().files) {
        const FileRecord* there = other.file(file.id);
        if (!there || there->birth != file.birth) {
            changes.push_back(replaced(file.id, std::max(file.length, there ? there->length : 0)));
            continue;
        }
        auto change = TRY(changes_of(one, file, other, *there, shared));
        if (!change.blocks.empty()) changes.push_back(std::move(change));
    }
    for (const FileRecord& file : other.point().files)
        if (!one.file(file.id)) changes.push_back(replaced(file.id, file.length));
    std::sort(changes.begin(), changes.end(),
              [](const FileChange& a, const FileChange& b) { return a.id < b.id; });
    return changes;
}

}  // namespace tarn::store
