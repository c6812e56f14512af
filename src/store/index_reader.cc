#include "store/index_reader.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "store/paths.h"

namespace tarn::store {

namespace {

bool before(const IndexFile& file, FileId id, uint64_t birth) {
    return file.id < id || (file.id == id && file.birth < birth);
}

}  // namespace

int IndexReader::open(const void* data, size_t size, bool check_crc) {
    header_ = static_cast<const IndexFileHeader*>(data);
    if (size < sizeof(IndexFileHeader) ||
        std::memcmp(header_->magic, kIndexMagic, sizeof kIndexMagic) != 0 ||
        header_->version != kIndexVersion || header_->total_bytes != size ||
        header_->source_count > kMaxSources || header_->file_count > size / sizeof(IndexFile) ||
        header_->entry_count > size / sizeof(IndexEntry) ||
        sizeof(IndexFileHeader) + header_->source_count * sizeof(LogId) +
                header_->file_count * sizeof(IndexFile) +
                header_->entry_count * sizeof(IndexEntry) !=
            size)
        return -EIO;
    if (check_crc) {
        IndexFileHeader copy = *header_;
        copy.crc = 0;
        uint32_t crc = crc32c(0, &copy, sizeof copy);
        crc = crc32c(crc, static_cast<const char*>(data) + sizeof copy, size - sizeof copy);
        if (crc != header_->crc) return -EIO;
    }
    for (uint64_t i = 0; i < header_->file_count; ++i) {
        const IndexFile& file = files()[i];
        if (file.first_entry > header_->entry_count ||
            file.entries > header_->entry_count - file.first_entry)
            return -EIO;
    }
    return 0;
}

const LogId* IndexReader::sources() const {
    return reinterpret_cast<const LogId*>(header_ + 1);
}

const IndexFile* IndexReader::files() const {
    return reinterpret_cast<const IndexFile*>(sources() + header_->source_count);
}

const IndexEntry* IndexReader::entries(const IndexFile* file) const {
    return reinterpret_cast<const IndexEntry*>(files() + header_->file_count) + file->first_entry;
}

const IndexFile* IndexReader::find(FileId id, uint64_t birth) const {
    const IndexFile* end = files() + header_->file_count;
    const IndexFile* file = std::lower_bound(
        files(), end, birth,
        [id](const IndexFile& each, uint64_t wanted) { return before(each, id, wanted); });
    return file != end && file->id == id && file->birth == birth ? file : nullptr;
}

IndexAnswer IndexReader::lookup(FileId id, uint64_t birth, uint32_t block,
                                IndexEntry* entry) const {
    const IndexFile* file = find(id, birth);
    if (!file) return IndexAnswer::unknown;
    const IndexEntry* begin = entries(file);
    const IndexEntry* end = begin + file->entries;
    const IndexEntry* at = std::lower_bound(
        begin, end, block,
        [](const IndexEntry& each, uint32_t wanted) { return each.block < wanted; });
    if (at != end && at->block == block) {
        *entry = *at;
        return IndexAnswer::found;
    }
    return block >= file->cut ? IndexAnswer::zeros : IndexAnswer::unknown;
}

int IndexStack::load(sys::Disk& disk, const MapHeader& map) {
    // One area for the readers and their source tables, outside any allocator (shim).
    size_t bytes = map.index_count * (sizeof(Loaded) + kMaxSources * sizeof(uint16_t));
    void* area = ::mmap(nullptr, bytes + 1, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) return -ENOMEM;
    auto* loaded = static_cast<Loaded*>(area);
    auto* tables = reinterpret_cast<uint16_t*>(loaded + map.index_count);
    for (uint32_t i = 0; i < map.index_count; ++i, tables += kMaxSources) {
        const IndexRef& ref = map.indexes[i];
        Path path = index_path(map.store_root, {ref.lineage, ref.incarnation}, ref.number);
        int fd = disk.open(path, O_RDONLY, 0);
        if (fd < 0) return -EIO;
        int64_t size = disk.size(fd);
        const void* data = size > 0 ? disk.map(fd, static_cast<size_t>(size)) : nullptr;
        disk.close(fd);
        if (!data || loaded[i].reader.open(data, static_cast<size_t>(size), false) < 0) return -EIO;
        const IndexReader& reader = loaded[i].reader;
        for (uint32_t local = 0; local < reader.header()->source_count; ++local) {
            const LogId* end = map.sources + map.source_count;
            const LogId* found = std::find(map.sources + 1, end, reader.sources()[local]);
            tables[local] = found == end ? 0 : static_cast<uint16_t>(found - map.sources);
        }
        loaded[i].sources = tables;
    }
    loaded_ = loaded;
    count_ = map.index_count;
    return 0;
}

int IndexStack::lookup(sys::Disk& disk, const MapHeader& map, const FileEntry* file, uint32_t block,
                       Version* version, bool* known) {
    *known = false;
    if (map.index_count == 0) return 0;
    if (!loaded_)
        if (int result = load(disk, map); result < 0) return result;
    uint64_t birth = file->birth.load(std::memory_order_acquire);
    for (uint32_t i = 0; i < count_; ++i) {
        IndexEntry entry;
        switch (loaded_[i].reader.lookup(file->id, birth, block, &entry)) {
            case IndexAnswer::unknown:
                continue;
            case IndexAnswer::zeros:
                return 0;
            case IndexAnswer::found: {
                Location local{entry.location};
                uint16_t source = local.source();
                if (source == 0 || source > loaded_[i].reader.header()->source_count) return -EIO;
                source = loaded_[i].sources[source - 1];
                if (source == 0) return -EIO;
                *version = {Location::at(source, local.slot()), entry.page_crc};
                *known = true;
                return 0;
            }
        }
    }
    return 0;
}

}  // namespace tarn::store
