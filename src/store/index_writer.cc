#include "store/index_writer.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/crc32c.h"
#include "store/codec.h"
#include "store/log_state.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

// The bytes of a LogId in an index; LogId itself has padding, which must not reach the disk.
struct SourceBytes {
    uint64_t lineage;
    uint32_t incarnation;
    uint32_t reserved;
};
static_assert(sizeof(SourceBytes) == sizeof(LogId));

// The number of `log` in `sources`, which it joins if it is new.
uint16_t source_number(std::vector<LogId>& sources, LogId log) {
    auto found = std::find(sources.begin(), sources.end(), log);
    if (found == sources.end()) found = sources.insert(found, log);
    return static_cast<uint16_t>(found - sources.begin() + 1);
}

// Entries of both, sorted by block; where both have a block, the newer one.
std::vector<IndexEntry> merge_entries(const std::vector<IndexEntry>& newer,
                                      std::vector<IndexEntry> older, uint32_t newer_cut) {
    std::vector<IndexEntry> merged;
    merged.reserve(newer.size() + older.size());
    auto at = newer.begin();
    for (const IndexEntry& entry : older) {
        while (at != newer.end() && at->block < entry.block) merged.push_back(*at++);
        if (at != newer.end() && at->block == entry.block) continue;
        // The newer index cut the file below this block and has not seen it again: zeros.
        if (entry.block < newer_cut) merged.push_back(entry);
    }
    merged.insert(merged.end(), at, newer.end());
    return merged;
}

}  // namespace

uint64_t IndexContents::entry_count() const {
    uint64_t count = 0;
    for (const auto& [file, contents] : files) count += contents.entries.size();
    return count;
}

uint64_t IndexContents::encoded_bytes() const {
    return sizeof(IndexFileHeader) + sources.size() * sizeof(SourceBytes) +
           files.size() * sizeof(IndexFile) + entry_count() * sizeof(IndexEntry);
}

void IndexBuilder::add(const SlotHeader& header) {
    if (header.kind == SlotKind::unused) return;
    History& history = files_[{header.file, header.birth}];
    if (header.kind == SlotKind::truncate) {
        history.cuts.push_back({header.slot, header.block});
        return;
    }
    std::optional<uint32_t> copied_slot;
    if (header.kind == SlotKind::copy) copied_slot = header.copied_slot;
    has_copies_ = has_copies_ || copied_slot;
    history.versions.push_back({header.block, header.page_crc, header.slot, copied_slot});
}

void IndexBuilder::begin_cut(const FileBirth& file, uint32_t block) {
    // No slot comes before slot 0, so no version counts as cut off by this.
    files_[file].cuts.push_back({0, block});
}

Result<IndexContents> IndexBuilder::finish(const Below& below) {
    IndexContents contents;
    contents.sources.push_back(log_);
    for (auto& [file, history] : files_) {
        std::vector<Version>& versions = history.versions;
        std::sort(versions.begin(), versions.end(), [](const Version& a, const Version& b) {
            return a.block != b.block ? a.block < b.block : a.slot < b.slot;
        });
        if (has_copies_) TRY(drop_late_copies(file, history, below));
        // Not even named: a file that only late copies speak of.
        if (!versions.empty() || !history.cuts.empty())
            contents.files.emplace(file, flatten(history));
    }
    files_.clear();
    return contents;
}

// Does a mark in a slot of [from, to) cut the block off?
bool IndexBuilder::is_cut(const History& history, uint32_t block, uint64_t from, uint64_t to) {
    return std::any_of(history.cuts.begin(), history.cuts.end(), [&](const Cut& cut) {
        return from <= cut.slot && cut.slot < to && cut.block <= block;
    });
}

// Of versions sorted by block and slot. A writer may have drawn a slot before a copy did and be
// done after it: then the copy, though in the higher slot, is the older version.
Result<void> IndexBuilder::drop_late_copies(const FileBirth& file, History& history,
                                            const Below& below) {
    std::vector<Version> counted;
    for (const Version& version : history.versions) {
        if (version.copied_slot) {
            bool known = !counted.empty() && counted.back().block == version.block;
            uint64_t since = known ? counted.back().slot + 1 : 0;
            if (is_cut(history, version.block, since, version.slot)) continue;
            std::optional<uint64_t> newest;
            if (known)
                newest = counted.back().slot;
            else
                newest = TRY(below(file, version.block));
            if (newest != *version.copied_slot) continue;
        }
        counted.push_back(version);
    }
    history.versions = std::move(counted);
    return {};
}

// The last version of each block, unless a later mark cut it off. Versions are sorted.
IndexContents::File IndexBuilder::flatten(History& history) {
    IndexContents::File file;
    std::vector<Cut>& cuts = history.cuts;
    // From here on cuts[i].block is the least block that cuts[i] or a later one cuts at.
    for (size_t i = cuts.size(); i-- > 0;) {
        file.cut = std::min(file.cut, cuts[i].block);
        cuts[i].block = file.cut;
    }
    const std::vector<Version>& versions = history.versions;
    for (size_t i = 0; i < versions.size(); ++i) {
        const Version& version = versions[i];
        if (i + 1 < versions.size() && versions[i + 1].block == version.block) continue;
        auto later =
            std::upper_bound(cuts.begin(), cuts.end(), version.slot,
                             [](uint64_t slot, const Cut& cut) { return slot < cut.slot; });
        if (later != cuts.end() && version.block >= later->block) continue;
        file.entries.push_back(
            {version.block, version.page_crc, Location::at(1, version.slot).word});
    }
    return file;
}

IndexContents merge(const IndexContents& newer, const IndexReader& older,
                    const std::function<bool(const FileBirth&)>& alive) {
    IndexContents merged = newer;
    std::vector<uint16_t> numbers;  // of older's sources in the merged index
    for (uint32_t i = 0; i < older.header()->source_count; ++i)
        numbers.push_back(source_number(merged.sources, older.sources()[i]));
    for (uint64_t i = 0; i < older.header()->file_count; ++i) {
        const IndexFile& file = older.files()[i];
        FileBirth identity{file.id, file.birth};
        if (!alive(identity)) continue;
        std::vector<IndexEntry> entries(older.entries(&file), older.entries(&file) + file.entries);
        for (IndexEntry& entry : entries) {
            Location local{entry.location};
            // A number that the table does not have stays impossible, and fails where it is read.
            uint16_t number = local.source() > 0 && local.source() <= numbers.size()
                                  ? numbers[local.source() - 1u]
                                  : uint16_t{0};
            entry.location = Location::at(number, local.slot()).word;
        }
        IndexContents::File& target = merged.files[identity];
        target.entries = merge_entries(target.entries, std::move(entries), target.cut);
        target.cut = std::min(target.cut, file.cut);
    }
    return merged;
}

std::string encode(const IndexContents& contents) {
    IndexFileHeader header{};
    std::memcpy(header.magic, kIndexMagic, sizeof kIndexMagic);
    header.version = kIndexVersion;
    header.file_count = contents.files.size();
    header.entry_count = contents.entry_count();
    header.source_count = static_cast<uint32_t>(contents.sources.size());
    header.total_bytes = contents.encoded_bytes();
    std::string bytes;
    bytes.reserve(header.total_bytes);
    auto put = [&bytes](const auto& value) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    put(header);
    for (const LogId& log : contents.sources) put(SourceBytes{log.lineage, log.incarnation, 0});
    uint64_t first_entry = 0;
    for (const auto& [file, each] : contents.files) {
        put(IndexFile{file.id, file.birth, first_entry, static_cast<uint32_t>(each.entries.size()),
                      each.cut});
        first_entry += each.entries.size();
    }
    for (const auto& [file, each] : contents.files)
        bytes.append(reinterpret_cast<const char*>(each.entries.data()),
                     each.entries.size() * sizeof(IndexEntry));
    uint32_t crc = crc32c(0, bytes.data(), bytes.size());
    std::memcpy(bytes.data() + offsetof(IndexFileHeader, crc), &crc, sizeof crc);
    return bytes;
}

namespace {

Error damaged(const Path& path) {
    return error(Code::data_loss, "load index {}: its structure or checksum is wrong", path.text)
        .with_hint("the file is damaged; restore it from a copy of the store");
}

}  // namespace

Result<LoadedIndex> LoadedIndex::load(sys::Disk& disk, const char* root, const IndexRef& ref) {
    Path path = index_path(root, {ref.lineage, ref.incarnation}, ref.number);
    LoadedIndex index;
    index.bytes_ =
        std::make_unique<std::string>(TRY_CTX(sys::read_file(disk, path.text), "load index"));
    if (index.reader_.open(index.bytes_->data(), index.bytes_->size(), true) < 0)
        return damaged(path);
    return index;
}

std::vector<LogId> LoadedIndex::sources() const {
    return {reader_.sources(), reader_.sources() + reader_.header()->source_count};
}

Result<std::vector<LogId>> checked_sources(sys::Disk& disk, const char* root, const IndexRef& ref) {
    constexpr size_t kPieceBytes = size_t{256} << 10;
    Path path = index_path(root, {ref.lineage, ref.incarnation}, ref.number);
    auto file = TRY_CTX(sys::File::open(disk, path.text, O_RDONLY), "load index");
    std::vector<char> piece(kPieceBytes);
    size_t got = TRY_CTX(file.read_some(piece.data(), piece.size(), 0), "load index");
    IndexFileHeader header;
    if (got < sizeof header) return damaged(path);
    std::memcpy(&header, piece.data(), sizeof header);
    size_t sources_end = sizeof header + size_t{header.source_count} * sizeof(LogId);
    if (std::memcmp(header.magic, kIndexMagic, sizeof kIndexMagic) != 0 ||
        header.version != kIndexVersion || header.source_count > kMaxSources || got < sources_end)
        return damaged(path);
    std::vector<LogId> sources(header.source_count);
    if (!sources.empty())
        std::memcpy(sources.data(), piece.data() + sizeof header, sources_end - sizeof header);

    uint32_t expected = std::exchange(header.crc, 0);
    std::memcpy(piece.data(), &header, sizeof header);
    uint32_t crc = 0;
    uint64_t bytes = 0;
    while (got > 0) {
        crc = crc32c(crc, piece.data(), got);
        bytes += got;
        got = TRY_CTX(file.read_some(piece.data(), piece.size(), bytes), "load index");
    }
    if (crc != expected || bytes != header.total_bytes) return damaged(path);
    return sources;
}

Result<void> save_index(sys::Disk& disk, const char* root, const IndexRef& ref,
                        const IndexContents& contents) {
    LogId log{ref.lineage, ref.incarnation};
    TRY_CTX(
        create_beside_log(disk, root, log, index_path(root, log, ref.number).text, encode(contents),
                          sys::SyncSite::index_data, sys::SyncSite::index_directory),
        "save index {}", ref.number);
    return {};
}

}  // namespace tarn::store
