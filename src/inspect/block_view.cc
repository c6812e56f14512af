// block_view.cc: where the versions of one block lie.

#include <algorithm>
#include <tuple>
#include <vector>

#include "compute/attachments.h"
#include "inspect/tree.h"
#include "store/index_writer.h"
#include "store/packed_files.h"
#include "store/point_reader.h"
#include "store/slot_scan.h"

namespace tarn::inspect {

namespace {

class BlockHistory {
  public:
    BlockHistory(const store::Store& store, const BlockName& block)
        : store_(store), block_(block), reader_(store.disk(), store.root()) {}

    Result<Document> run(uint64_t lineage) {
        std::optional<store::RestorePoint> last;
        for (const store::RestorePointId& id : TRY(store_.restore_points(lineage))) {
            auto point = store_.restore_point(id);
            if (!point) {
                add_damage(document_, point.error().text());
                continue;
            }
            add(*point);
            last = std::move(*point);
        }
        document_["versions"] = std::move(rows_);
        auto incarnations = TRY(store_.incarnations(lineage));
        if (!incarnations.empty()) add_unsealed({lineage, incarnations.back()}, last);
        return std::move(document_);
    }

  private:
    using Key = std::tuple<uint64_t, uint32_t, uint32_t>;

    void add(const store::RestorePoint& point) {
        const store::FileRecord* file = store::find_file(point.files, block_.file);
        std::string id = compute::text_of(point.id);
        if (!file || block_.block >= file->length)
            return add_row(id, file ? "beyond its end" : "no such file");
        store::FileBirth birth{file->id, file->birth};
        for (const store::IndexRef& ref : point.indexes) {
            const store::LoadedIndex* index = loaded(ref);
            if (!index) return add_row(id, "DAMAGED: an index above it cannot be read");
            store::IndexEntry entry;
            auto answer = index->reader().lookup(birth.id, birth.birth, block_.block, &entry);
            if (answer == store::IndexAnswer::unknown) continue;
            if (answer == store::IndexAnswer::zeros) return add_row(id, "zeros");
            return add_entry(id, *index, birth, entry);
        }
        add_row(id, "zeros");
    }

    const store::LoadedIndex* loaded(const store::IndexRef& ref) {
        Key key{ref.lineage, ref.incarnation, ref.number};
        auto found = indexes_.find(key);
        if (found == indexes_.end()) {
            auto index = store::LoadedIndex::load(store_.disk(), store_.root().c_str(), ref);
            if (!index) add_damage(document_, index.error().text());
            std::optional<store::LoadedIndex> kept;
            if (index) kept.emplace(std::move(*index));
            found = indexes_.emplace(key, std::move(kept)).first;
        }
        return found->second ? &*found->second : nullptr;
    }

    void add_entry(const std::string& id, const store::LoadedIndex& index,
                   const store::FileBirth& birth, const store::IndexEntry& entry) {
        auto claim = store::claim_of(index.reader(), birth, entry);
        if (!claim) return add_row(id, "DAMAGED: its index names a source that it does not have");
        Document row{{"restore_points", id},
                     {"lies_in", fmt::format("{} slot {}", text_of(claim->log), claim->slot)},
                     {"birth", birth.birth},
                     {"page_crc", fmt::format("{:08x}", entry.page_crc)}};
        add_place(row, *claim);
        std::vector<char> page(store::kBlockBytes);
        auto header = reader_.header(*claim);
        auto read = header ? reader_.page(*claim, page.data()) : std::move(header);
        row["bytes"] = read ? "good" : "DAMAGED";
        if (!read) add_damage(document_, read.error().text());
        append(std::move(row), id);
    }

    void add_place(Document& row, const store::SlotClaim& claim) {
        auto place = store::place_of(store_.disk(), store_.root().c_str(), claim.log, claim.slot);
        row["file"] = place.path;
        row["byte"] = place.offset;
        if (place.bytes < store::kBlockBytes) row["packed_into"] = place.bytes;
    }

    void add_row(const std::string& id, const char* where) {
        append({{"restore_points", id}, {"lies_in", where}}, id);
    }

    // Restore points in a row that show the same version are one row.
    void append(Document row, const std::string& id) {
        if (!rows_.empty() && rows_.back()["lies_in"] == row["lies_in"]) {
            rows_.back()["restore_points"] = first_ + " to " + id;
            return;
        }
        first_ = id;
        rows_.push_back(std::move(row));
    }

    // Written since the newest restore point.
    void add_unsealed(store::LogId log, const std::optional<store::RestorePoint>& newest) {
        uint64_t from = newest && newest->id.log == log ? newest->seal_slot : 0;
        auto segments = store::segments_of(store_.disk(), store_.root().c_str(), log);
        if (!segments) return add_damage(document_, segments.error().text());
        Document rows = Document::array();
        for (uint64_t segment : *segments) {
            uint64_t begin = std::max(from, segment * store::kSlotsPerSegment);
            uint64_t end = (segment + 1) * store::kSlotsPerSegment;
            std::vector<uint64_t> holes;
            auto scanned = store::scan_slots(
                store_.disk(), store_.root().c_str(), log, begin, std::max(begin, end), holes,
                [&](const store::SlotHeader& header) {
                    if (header.file == block_.file && header.block == block_.block)
                        rows.push_back(
                            {{"lies_in", fmt::format("{} slot {}", text_of(log), header.slot)},
                             {"birth", header.birth},
                             {"page_crc", fmt::format("{:08x}", header.page_crc)}});
                });
            if (!scanned) add_damage(document_, scanned.error().text());
        }
        document_["since_the_newest_restore_point"] = std::move(rows);
    }

    const store::Store& store_;
    BlockName block_;
    store::SlotReader reader_;
    std::map<Key, std::optional<store::LoadedIndex>> indexes_;
    Document document_, rows_ = Document::array();
    std::string first_;  // restore point of the last row
};

}  // namespace

Result<Document> block_document(const store::Store& store, uint64_t lineage,
                                const BlockName& block) {
    Document document{{"file", file_text(block.file)}, {"block", block.block}};
    document.update(TRY(BlockHistory(store, block).run(lineage)));
    return document;
}

}  // namespace tarn::inspect
