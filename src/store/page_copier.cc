#include "store/page_copier.h"

#include <fcntl.h>

#include <algorithm>

#include "store/paths.h"
#include "sys/files.h"

namespace tarn::store {

bool PageCopier::can_copy(Location location) {
    // 0 and 1 are no slots, and have no source. A header names its source in 32 bits.
    return location.source() == 1 && location.slot() <= UINT32_MAX;
}

Result<uint32_t> PageCopier::copy(FileEntry* file, std::span<const uint32_t> blocks) {
    MapHeader& map = log_.map().header();
    // Before the map is asked: a file that is cut to nothing meanwhile gets another one.
    FileBirth birth{file->id, file->birth.load(std::memory_order_acquire)};
    read_sources(file, birth, blocks);
    if (copies_.empty()) return 0;
    auto count = static_cast<uint32_t>(copies_.size());
    uint64_t first = 0;
    if (int result = log_.check_live(); result < 0) return errno_error(-result, "copy pages");
    if (int result = log_.reserve_slots(count, &first); result < 0)
        return errno_error(-result, fmt::format("copy {} pages: reserve slots", count));
    for (Copy& copy : copies_) copy.slot = first + static_cast<uint64_t>(&copy - copies_.data());
    TRY_CTX(write(pages_.data(), kBlockBytes, false), "copy {} pages", count);
    // As in PageLog::append(): a copy that took so long could miss its sync.
    if (map.next_slot.load() / kSlotsPerSegment >= first / kSlotsPerSegment + kSegmentRing)
        return error(Code::io_error, "copy {} pages: the log went on too far meanwhile", count);
    if (int result = log_.check_live(); result < 0) return errno_error(-result, "copy pages");
    std::vector<SlotHeader> headers;
    uint32_t moved = 0;
    for (const Copy& copy : copies_) {
        bool first_there =
            log_.map().move(file, copy.block, copy.source.location, Location::at(1, copy.slot));
        headers.push_back(header_of(copy, birth, first_there));
        moved += first_there ? 1 : 0;
    }
    TRY_CTX(write(headers.data(), sizeof(SlotHeader), true), "copy {} pages", count);
    for (uint64_t segment = first / kSlotsPerSegment;
         segment <= (first + count - 1) / kSlotsPerSegment; ++segment)
        map.segments[segment % kSegmentRing].written.fetch_add(1, std::memory_order_acq_rel);
    return moved;
}

// What can be copied and is what its header vouches for.
void PageCopier::read_sources(FileEntry* file, const FileBirth& birth,
                              std::span<const uint32_t> blocks) {
    const MapHeader& map = log_.map().header();
    SlotReader slots(log_.disk_, map.store_root);
    copies_.clear();
    pages_.resize(std::min<size_t>(blocks.size(), kBlocksMax) * kBlockBytes);
    for (uint32_t block : blocks.first(std::min<size_t>(blocks.size(), kBlocksMax))) {
        Version version = log_.map().lookup(file, block);
        if (!can_copy(version.location)) continue;
        SlotClaim claim{birth, block, version.page_crc, map.sources[1], version.location.slot()};
        char* page = pages_.data() + copies_.size() * kBlockBytes;
        // Where it is not, a writer is under way, or it is damage: for those to say who read it.
        if (slots.header(claim).ok() && slots.page(claim, page).ok())
            copies_.push_back({block, version, 0});
    }
}

SlotHeader PageCopier::header_of(const Copy& copy, const FileBirth& file, bool moved) const {
    const MapHeader& map = log_.map().header();
    SlotHeader header{};
    header.slot = copy.slot;
    header.lineage = map.lineage;
    header.incarnation = map.incarnation;
    header.kind = moved ? SlotKind::copy : SlotKind::unused;
    if (moved) {
        header.page_crc = copy.source.page_crc;
        header.file = file.id;
        header.birth = file.birth;
        header.block = copy.block;
        header.copied_slot = static_cast<uint32_t>(copy.source.location.slot());
    }
    header.crc = header.expected_crc();
    return header;
}

// Writes `unit` bytes for each of the copies.
Result<void> PageCopier::write(const void* bytes, size_t unit, bool slots) {
    for (size_t done = 0; done < copies_.size();) {
        uint64_t left = kSlotsPerSegment - copies_[done].slot % kSlotsPerSegment;
        size_t part = std::min<size_t>(copies_.size() - done, left);
        TRY(write_part(bytes, unit, done, part, slots));
        done += part;
    }
    return {};
}

// Of slots that lie in one segment. Writing out begins at once: the next seal finds less to sync.
Result<void> PageCopier::write_part(const void* bytes, size_t unit, size_t first, size_t count,
                                    bool slots) {
    const MapHeader& map = log_.map().header();
    uint64_t slot = copies_[first].slot;
    Path path = segment_path(map.store_root, map.sources[1], slot / kSlotsPerSegment, slots);
    sys::File file = TRY(sys::File::open(log_.disk_, path.text, O_RDWR));
    uint64_t offset = slot % kSlotsPerSegment * unit;
    TRY(file.write(static_cast<const char*>(bytes) + first * unit, count * unit, offset));
    log_.disk_.write_back(file.fd(), static_cast<int64_t>(offset),
                          static_cast<int64_t>(count * unit));
    return {};
}

}  // namespace tarn::store
