#include "store/compaction.h"

#include <algorithm>
#include <span>

namespace tarn::store {

namespace {

constexpr uint64_t kGapSlots = 5;         // reads bridge it, as in PageLog::prefetch()
constexpr size_t kLargePieceBlocks = 16;  // 128 KiB: not much slower to read than one as long again
// And of so many that follow each other without a gap, on average: gaps become holes, and a disk
// reads what lies between two of them by itself.
constexpr size_t kLongRunBlocks = 8;
constexpr size_t kFewestScattered = 16;  // blocks of a stretch: fewer are not worth it

uint64_t places_of(const PageMap& map, const FileEntry* file, uint32_t begin, uint32_t end) {
    uint64_t sum = end;
    for (uint32_t block = begin; block < end; ++block) {
        sum = (sum ^ map.lookup(file, block).location.word) * 0x9e3779b97f4a7c15;
        sum ^= sum >> 29;
    }
    return sum;
}

std::vector<FileEntry*> files_of(const PageMap& map) {
    std::vector<FileEntry*> files;
    map.each_file(
        [](void* context, FileEntry* file) {
            static_cast<std::vector<FileEntry*>*>(context)->push_back(file);
        },
        &files);
    return files;
}

}  // namespace

std::vector<uint32_t> scattered_blocks(const PageMap& map, const FileEntry* file, uint32_t begin,
                                       uint32_t end) {
    std::vector<std::pair<uint64_t, uint32_t>> places;  // slot and block
    for (uint32_t block = begin; block < end; ++block) {
        Location location = map.lookup(file, block).location;
        if (PageCopier::can_copy(location)) places.emplace_back(location.slot(), block);
    }
    std::sort(places.begin(), places.end());
    std::vector<uint32_t> scattered;
    for (size_t at = 0; at < places.size();) {
        size_t piece = at++, runs = 1;
        for (; at < places.size() && places[at].first <= places[at - 1].first + kGapSlots; ++at)
            if (places[at].first > places[at - 1].first + 1) ++runs;
        if (at - piece >= std::max(kLargePieceBlocks, runs * kLongRunBlocks)) continue;
        for (; piece < at; ++piece) scattered.push_back(places[piece].second);
    }
    if (scattered.size() < kFewestScattered) return {};
    std::sort(scattered.begin(), scattered.end());
    return scattered;
}

Result<uint64_t> Compaction::round(Clock::time_point now, const Allow& allow) {
    before_ = std::exchange(seen_, {});
    uint64_t copied = 0;
    for (FileEntry* file : files_of(log_.map())) {
        uint32_t length = file->length.load(std::memory_order_acquire);
        for (uint32_t begin = 0; length - begin >= kFewestScattered; begin += kStretchBlocks) {
            uint32_t end = std::min(length, begin + kStretchBlocks);
            if (is_due({file, begin}, end, now)) {
                auto blocks = scattered_blocks(log_.map(), file, begin, end);
                if (!TRY(copy(file, blocks, allow, copied))) return copied;
                // What could not be copied now cannot be later, unless somebody writes.
                seen_[{file, begin}] = {places_of(log_.map(), file, begin, end), now, true};
            }
            if (end == length) break;
        }
    }
    return copied;
}

// Has it been as it is for long enough, and nobody has looked?
bool Compaction::is_due(const Stretch& stretch, uint32_t end, Clock::time_point now) {
    uint64_t places = places_of(log_.map(), stretch.first, stretch.second, end);
    auto before = before_.find(stretch);
    bool same = before != before_.end() && before->second.places == places;
    Seen& seen = seen_[stretch] = same ? before->second : Seen{places, now, false};
    return !seen.settled && now - seen.since >= calm_;
}

// False if the round is over.
Result<bool> Compaction::copy(FileEntry* file, const std::vector<uint32_t>& blocks,
                              const Allow& allow, uint64_t& copied) {
    for (size_t done = 0; done < blocks.size(); done += PageCopier::kBlocksMax) {
        size_t count = std::min<size_t>(blocks.size() - done, PageCopier::kBlocksMax);
        if (!allow(static_cast<uint32_t>(count))) return false;
        copied += TRY(copier_.copy(file, std::span(blocks).subspan(done, count)));
    }
    return true;
}

}  // namespace tarn::store
