#include "store/version_spans.h"

#include <algorithm>
#include <map>
#include <optional>

#include "store/index_writer.h"
#include "store/packed_files.h"
#include "store/point_reader.h"

namespace tarn::store {

namespace {

// What the restore point at hand shows, and since which one.
class Walk {
  public:
    Walk(const Store& store, VersionSpans& found) : store_(store), found_(found) {}

    Result<void> run() {
        for (uint32_t at = 0; at < found_.points.size(); ++at) TRY(enter(at));
        end_all(static_cast<uint32_t>(found_.points.size()));
        return {};
    }

  private:
    struct Shown {
        uint32_t incarnation = 0;  // 0: nothing of this lineage's
        uint32_t since = 0;
        uint64_t slot = 0;
    };

    Result<void> enter(uint32_t at);
    Result<bool> follows(const RestorePointId& id, const RestorePointId& before) const;
    Result<void> apply(const IndexRef& ref, uint32_t at);
    void end(Shown& shown, uint32_t at);
    void end_all(uint32_t at);
    void end_unlisted(const std::vector<FileRecord>& files, uint32_t at);

    const Store& store_;
    VersionSpans& found_;
    std::map<FileBirth, std::vector<Shown>> files_;  // by block
};

// Does everything that the one shows come from the other, or from indexes made since?
Result<bool> Walk::follows(const RestorePointId& id, const RestorePointId& before) const {
    if (id.log == before.log) return true;
    return TRY(store_.incarnation(id.log)).base == before;
}

Result<void> Walk::enter(uint32_t at) {
    RestorePoint point = TRY(store_.restore_point(found_.points[at]));
    std::optional<RestorePointId> before;
    if (at > 0 && TRY(follows(point.id, found_.points[at - 1]))) before = found_.points[at - 1];
    if (!before) end_all(at);
    // The newer index has the answer: it comes last here.
    for (auto ref = point.indexes.rbegin(); ref != point.indexes.rend(); ++ref) {
        if (ref->lineage != point.id.log.lineage) continue;
        // Indexes and restore points of an incarnation have one count.
        bool known = before && std::pair(ref->incarnation, ref->number) <=
                                   std::pair(before->log.incarnation, before->number);
        if (!known) TRY(apply(*ref, at));
    }
    end_unlisted(point.files, at);
    return {};
}

Result<void> Walk::apply(const IndexRef& ref, uint32_t at) {
    LoadedIndex index = TRY(LoadedIndex::load(store_.disk(), store_.root().c_str(), ref));
    const IndexReader& reader = index.reader();
    for (uint64_t i = 0; i < reader.header()->file_count; ++i) {
        const IndexFile& file = reader.files()[i];
        std::vector<Shown>& blocks = files_[{file.id, file.birth}];
        // An index may name versions that the one before it named: those go on.
        std::vector<Shown> before_cut;
        if (file.cut < blocks.size()) {
            before_cut.assign(blocks.begin() + file.cut, blocks.end());
            blocks.resize(file.cut);
        }
        const IndexEntry* entries = reader.entries(&file);
        for (uint32_t e = 0; e < file.entries; ++e) {
            uint32_t block = entries[e].block;
            Location location{entries[e].location};
            if (location.source() == 0 || location.source() > reader.header()->source_count)
                return error(Code::data_loss, "index {:016x}/{}/{} names source {} of {}",
                             ref.lineage, ref.incarnation, ref.number, location.source(),
                             reader.header()->source_count);
            uint32_t incarnation = reader.sources()[location.source() - 1].incarnation;
            if (block >= kMaxBlocks)
                return error(Code::data_loss, "index {:016x}/{}/{} names block {}", ref.lineage,
                             ref.incarnation, ref.number, block);
            if (block >= blocks.size()) blocks.resize(block + 1);
            Shown& shown = blocks[block];
            size_t cut_place = block - std::min(block, file.cut);
            if (block >= file.cut && cut_place < before_cut.size())
                std::swap(shown, before_cut[cut_place]);
            if (shown.incarnation == incarnation && shown.slot == location.slot()) continue;
            end(shown, at);
            shown = {incarnation, at, location.slot()};
        }
        for (Shown& shown : before_cut) end(shown, at);
    }
    return {};
}

// The restore point at `at` does not show it any more.
void Walk::end(Shown& shown, uint32_t at) {
    if (shown.incarnation != 0 && shown.since < at)
        found_.spans.push_back({.incarnation = shown.incarnation,
                                .first = shown.since,
                                .last = at - 1,
                                .slot = shown.slot});
    shown = {};
}

void Walk::end_all(uint32_t at) {
    for (auto& [file, blocks] : files_)
        for (Shown& shown : blocks) end(shown, at);
    files_.clear();
}

// A birth that is gone does not come back.
void Walk::end_unlisted(const std::vector<FileRecord>& files, uint32_t at) {
    for (auto file = files_.begin(); file != files_.end();) {
        const FileRecord* listed = find_file(files, file->first.id);
        if (listed && listed->birth == file->first.birth) {
            ++file;
            continue;
        }
        for (Shown& shown : file->second) end(shown, at);
        file = files_.erase(file);
    }
}

// Of the history of a segment whose packed file is damaged: were it taken for whole pages, restore
// points would go that have room.
constexpr uint32_t kGuessedBytes = 1024;

Result<void> put_packed_sizes(const Store& store, uint64_t lineage, VersionSpans& spans) {
    std::map<std::pair<uint32_t, uint64_t>, std::vector<uint16_t>> sizes;
    const char* root = store.root().c_str();
    for (uint32_t incarnation : TRY(store.incarnations(lineage))) {
        LogId log{lineage, incarnation};
        for (const auto& [segment, numbers] : TRY(packed_numbers(store.disk(), root, log)))
            for (uint32_t number : numbers) {
                auto packed = open_packed(store.disk(), root, log, segment, number);
                if (!packed.ok() && !is_damage(packed.error())) return std::move(packed).error();
                auto& of_segment = sizes[{incarnation, segment}];
                of_segment.resize(kSlotsPerSegment, packed.ok() ? 0 : kGuessedBytes);
                if (!packed.ok()) continue;
                for (const PackedEntry& entry : packed->entries)
                    of_segment[entry.place] = entry.bytes;
            }
    }
    if (sizes.empty()) return {};
    for (VersionSpan& span : spans.spans) {
        if (span.last + 1 == spans.points.size()) continue;
        auto found = sizes.find({span.incarnation, span.slot / kSlotsPerSegment});
        uint16_t size = found == sizes.end() ? 0 : found->second[span.slot % kSlotsPerSegment];
        if (size > 0) span.bytes = size;
    }
    return {};
}

}  // namespace

Result<VersionSpans> version_spans(const Store& store, std::vector<RestorePointId> points) {
    VersionSpans found;
    found.points = std::move(points);
    TRY_CTX(Walk(store, found).run(), "look which restore points see what");
    if (!found.points.empty()) TRY(put_packed_sizes(store, found.points.back().log.lineage, found));
    return found;
}

}  // namespace tarn::store
