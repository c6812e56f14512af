#include "store/page_map.h"

#include <cerrno>
#include <cstring>

namespace tarn::store {

namespace {

constexpr char kMagic[8] = "TARNMAP";
constexpr uint32_t kVersion = 1;
constexpr uint64_t kUnit = 64;                        // offsets are kept in units of a cache line
constexpr uint64_t kGrowBytes = uint64_t{256} << 10;  // disk space is taken in steps of this
constexpr uint32_t kFan = 64;                         // children or blocks of a node

constexpr uint32_t kLeafLimit = kFan;             // blocks below roots[0]
constexpr uint32_t kMiddleLimit = kFan * kFan;    // below roots[1]
static_assert(kMaxBlocks == kFan * kFan * kFan);  // below roots[2]

uint64_t hash(FileId id) {
    uint64_t mixed = (id.hi ^ id.lo * 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd;
    return mixed ^ mixed >> 32;
}

}  // namespace

// A leaf holds the versions of 64 blocks; an inner node the offsets of 64 nodes.
struct PageMap::Node {
    union {
        struct {
            std::atomic<uint64_t> location[kFan];
            std::atomic<uint32_t> page_crc[kFan];
        } leaf;
        std::atomic<uint32_t> child[kFan];
    };
};

void PageMap::format(void* base, LogId log, uint64_t allocated_bytes) {
    auto* header = static_cast<MapHeader*>(base);
    std::memcpy(header->magic, kMagic, sizeof kMagic);
    header->version = kVersion;
    header->header_bytes = sizeof(MapHeader);
    header->lineage = log.lineage;
    header->incarnation = log.incarnation;
    header->state.store(LogState::live);
    header->arena_next.store(header_bytes());
    header->arena_allocated.store(allocated_bytes);
    header->next_birth.store(1);
    header->source_count = 2;
    header->sources[1] = log;
}

bool PageMap::valid(const void* base) {
    const auto* header = static_cast<const MapHeader*>(base);
    return std::memcmp(header->magic, kMagic, sizeof kMagic) == 0 && header->version == kVersion &&
           header->header_bytes == sizeof(MapHeader);
}

uint64_t PageMap::header_bytes() {
    return (sizeof(MapHeader) + kUnit - 1) / kUnit * kUnit;
}

FileEntry* PageMap::entry_at(uint32_t offset) const {
    return reinterpret_cast<FileEntry*>(base_ + offset * kUnit);
}

PageMap::Node* PageMap::node_at(uint32_t offset) const {
    return reinterpret_cast<Node*>(base_ + offset * kUnit);
}

// Takes zeroed memory from the arena; its offset, or 0 with *failure set. What a dying process took
// and did not publish is lost to the map until it is made anew (P5).
uint32_t PageMap::allocate(uint64_t bytes, int* failure) {
    bytes = (bytes + kUnit - 1) / kUnit * kUnit;
    uint64_t begin = header_->arena_next.load(std::memory_order_relaxed);
    for (;;) {
        if (begin + bytes > kMapBytes) {
            *failure = -ENOSPC;
            return 0;
        }
        // Space first, place afterwards (P1): without space nothing is consumed.
        uint64_t backed = header_->arena_allocated.load(std::memory_order_acquire);
        while (backed < begin + bytes) {
            uint64_t wanted = (begin + bytes + kGrowBytes - 1) / kGrowBytes * kGrowBytes;
            if (int result = grower_.grow(grower_.context, backed, wanted); result < 0) {
                *failure = result;
                return 0;
            }
            if (header_->arena_allocated.compare_exchange_strong(backed, wanted)) backed = wanted;
        }
        if (header_->arena_next.compare_exchange_weak(begin, begin + bytes))
            return static_cast<uint32_t>(begin / kUnit);
    }
}

std::atomic<uint32_t>& PageMap::bucket(FileId id) const {
    return header_->buckets[hash(id) % MapHeader::kBuckets];
}

FileEntry* PageMap::find(FileId id) const {
    for (uint32_t at = bucket(id).load(std::memory_order_acquire); at != 0;) {
        FileEntry* file = entry_at(at);
        if (file->id == id && file->state.load(std::memory_order_acquire) == FileState::live)
            return file;
        at = file->next;
    }
    return nullptr;
}

FileEntry* PageMap::find_or_create(FileId id, bool* created, int* failure) {
    *created = false;
    *failure = 0;
    std::atomic<uint32_t>& head = bucket(id);
    uint32_t first = head.load(std::memory_order_acquire);
    uint32_t mine = 0;
    for (;;) {
        // Whoever loses the race for the bucket looks again: the winner may have made this very
        // file.
        if (FileEntry* file = find(id)) return file;
        if (mine == 0) {
            mine = allocate(sizeof(FileEntry), failure);
            if (mine == 0) return nullptr;
            FileEntry* file = entry_at(mine);
            file->id = id;
            file->birth.store(header_->next_birth.fetch_add(1), std::memory_order_relaxed);
            file->state.store(FileState::live, std::memory_order_relaxed);
        }
        entry_at(mine)->next = first;
        if (head.compare_exchange_strong(first, mine, std::memory_order_acq_rel)) {
            *created = true;
            return entry_at(mine);
        }
    }
}

int PageMap::add_inherited(FileId id, uint64_t birth, uint32_t length) {
    int failure = 0;
    uint32_t offset = allocate(sizeof(FileEntry), &failure);
    if (offset == 0) return failure;
    FileEntry* file = entry_at(offset);
    file->id = id;
    file->birth.store(birth);
    file->length.store(length);
    file->inherited.store(length);
    file->state.store(FileState::live);
    std::atomic<uint32_t>& head = bucket(id);
    file->next = head.load();
    head.store(offset);
    return 0;
}

PageMap::Node* PageMap::leaf(const FileEntry* file, uint32_t block) const {
    uint32_t at;
    if (block < kLeafLimit) {
        at = file->roots[0].load(std::memory_order_acquire);
    } else if (block < kMiddleLimit) {
        at = file->roots[1].load(std::memory_order_acquire);
        if (at) at = node_at(at)->child[block / kFan].load(std::memory_order_acquire);
    } else {
        at = file->roots[2].load(std::memory_order_acquire);
        if (at) at = node_at(at)->child[block / kMiddleLimit].load(std::memory_order_acquire);
        if (at) at = node_at(at)->child[block / kFan % kFan].load(std::memory_order_acquire);
    }
    return at ? node_at(at) : nullptr;
}

// Makes the node that `place` should name, unless somebody else has. 0 or -errno.
int PageMap::make_node(std::atomic<uint32_t>& place, bool inner, uint32_t* offset) {
    *offset = place.load(std::memory_order_acquire);
    if (*offset != 0) return 0;
    int failure = 0;
    uint32_t made = allocate(inner ? sizeof(Node::child) : sizeof(Node::leaf), &failure);
    if (made == 0) return failure;
    uint32_t expected = 0;
    *offset =
        place.compare_exchange_strong(expected, made, std::memory_order_acq_rel) ? made : expected;
    return 0;
}

PageMap::Node* PageMap::make_leaf(FileEntry* file, uint32_t block, int* failure) {
    uint32_t at = 0;
    auto step = [&](std::atomic<uint32_t>& place, bool inner) {
        *failure = make_node(place, inner, &at);
        return *failure == 0;
    };
    if (block < kLeafLimit) {
        if (!step(file->roots[0], false)) return nullptr;
    } else if (block < kMiddleLimit) {
        if (!step(file->roots[1], true) || !step(node_at(at)->child[block / kFan], false))
            return nullptr;
    } else {
        if (!step(file->roots[2], true) || !step(node_at(at)->child[block / kMiddleLimit], true) ||
            !step(node_at(at)->child[block / kFan % kFan], false))
            return nullptr;
    }
    return node_at(at);
}

Version PageMap::lookup(const FileEntry* file, uint32_t block) const {
    const Node* node = leaf(file, block);
    if (!node) return {};
    // The checksum is written before its location and read after it; a reader that meets a writer
    // in between sees a mismatch and looks again (PageLog::read).
    Location location{node->leaf.location[block % kFan].load(std::memory_order_acquire)};
    return {location, node->leaf.page_crc[block % kFan].load(std::memory_order_acquire)};
}

int PageMap::publish(FileEntry* file, uint32_t block, Version version) {
    int failure = 0;
    Node* node = make_leaf(file, block, &failure);
    if (!node) return failure;
    node->leaf.page_crc[block % kFan].store(version.page_crc, std::memory_order_release);
    node->leaf.location[block % kFan].store(version.location.word, std::memory_order_release);
    return 0;
}

bool PageMap::move(FileEntry* file, uint32_t block, Location from, Location to) {
    Node* node = leaf(file, block);
    // The checksum stays: it is that of both.
    return node && node->leaf.location[block % kFan].compare_exchange_strong(
                       from.word, to.word, std::memory_order_acq_rel);
}

void PageMap::remember(FileEntry* file, uint32_t block, Version version) {
    int failure = 0;
    Node* node = make_leaf(file, block, &failure);
    if (!node) return;  // no space: ask the ancestors again next time
    // A writer may be publishing this block right now; its checksum must not be overwritten. 0 is
    // what an unknown block has, and a true checksum of 0 only costs another question to the index.
    uint32_t nothing = 0;
    if (version.page_crc == 0 && !version.location.is_zeros()) return;
    if (!version.location.is_zeros() &&
        !node->leaf.page_crc[block % kFan].compare_exchange_strong(nothing, version.page_crc))
        return;
    uint64_t unknown = 0;
    node->leaf.location[block % kFan].compare_exchange_strong(unknown, version.location.word,
                                                              std::memory_order_acq_rel);
}

int PageMap::reserve(FileEntry* file, uint32_t block, uint32_t count) {
    int failure = 0;
    for (uint32_t at = block / kFan * kFan; at < block + count; at += kFan)
        if (!make_leaf(file, at, &failure)) return failure;
    return 0;
}

void PageMap::truncate(FileEntry* file, uint32_t length) {
    uint32_t old = file->length.load(std::memory_order_acquire);
    uint32_t inherited = file->inherited.load(std::memory_order_acquire);
    if (inherited > length) file->inherited.store(length, std::memory_order_release);
    for (uint32_t block = length; block < old;) {
        Node* node = leaf(file, block);
        uint32_t end = (block / kFan + 1) * kFan;
        for (; node && block < end; ++block) {
            node->leaf.location[block % kFan].store(0, std::memory_order_release);
            node->leaf.page_crc[block % kFan].store(0, std::memory_order_release);
        }
        block = end;
    }
    file->length.store(length, std::memory_order_release);
}

uint32_t PageMap::grow_length(FileEntry* file, uint32_t length) {
    uint32_t current = file->length.load(std::memory_order_acquire);
    while (current < length &&
           !file->length.compare_exchange_weak(current, length, std::memory_order_acq_rel)) {
    }
    return current < length ? length : current;
}

void PageMap::each_file(void (*visit)(void*, FileEntry*), void* context) const {
    for (std::atomic<uint32_t>& head : header_->buckets)
        for (uint32_t at = head.load(std::memory_order_acquire); at != 0; at = entry_at(at)->next)
            if (entry_at(at)->state.load(std::memory_order_acquire) == FileState::live)
                visit(context, entry_at(at));
}

void PageMap::write_control(const void* image, size_t size, bool seal, uint64_t seal_slot) {
    uint32_t current = header_->control_index.load(std::memory_order_acquire) % 2;
    const ControlBuffer& old = header_->control[current];
    ControlBuffer& fresh = header_->control[1 - current];
    std::memset(fresh.image, 0, sizeof fresh.image);
    std::memcpy(fresh.image, image, size < sizeof fresh.image ? size : sizeof fresh.image);
    fresh.seal_number = old.seal_number + (seal ? 1 : 0);
    fresh.seal_slot = seal ? seal_slot : old.seal_slot;
    header_->control_index.fetch_add(1, std::memory_order_acq_rel);
}

void PageMap::read_control(ControlBuffer* copy) const {
    for (;;) {
        uint32_t before = header_->control_index.load(std::memory_order_acquire);
        std::memcpy(copy, &header_->control[before % 2], sizeof *copy);
        std::atomic_thread_fence(std::memory_order_acquire);
        // One write in between went to the other buffer; two would have come back to this one.
        if (header_->control_index.load(std::memory_order_relaxed) == before) return;
    }
}

}  // namespace tarn::store
