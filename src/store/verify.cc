#include "store/verify.h"

#include <algorithm>

#include "store/paths.h"

namespace tarn::store {

namespace {

constexpr uint64_t kSlotsBetweenProgress = 256;

// Invariants X1 and X2 of docs/formats/index.md, on which every look-up rests.
Result<void> check_order(const IndexReader& index, uint64_t lineage) {
    for (uint32_t i = 0; i < index.header()->source_count; ++i)
        if (index.sources()[i].lineage != lineage)
            return error(Code::data_loss, "source {} is a log of lineage {:016x}", i + 1,
                         index.sources()[i].lineage);
    std::optional<FileBirth> before;
    for (uint64_t i = 0; i < index.header()->file_count; ++i) {
        const IndexFile& file = index.files()[i];
        FileBirth identity{file.id, file.birth};
        const IndexEntry* entries = index.entries(&file);
        bool sorted = !before || *before < identity;
        for (uint32_t at = 1; at < file.entries; ++at)
            sorted = sorted && entries[at - 1].block < entries[at].block;
        if (!sorted) return error(Code::data_loss, "file {} or its blocks are out of order", i);
        before = identity;
    }
    return {};
}

// An entry of an index, in few bytes: an index may have hundreds of millions.
struct EntryPlace {
    uint64_t location;
    uint32_t file;
    uint32_t entry;  // of the file's
};

// All that an index names, in the order in which it lies on disk.
std::vector<EntryPlace> entries_of(const IndexReader& index) {
    std::vector<EntryPlace> places;
    places.reserve(index.header()->entry_count);
    for (uint32_t file = 0; file < index.header()->file_count; ++file) {
        const IndexEntry* entries = index.entries(&index.files()[file]);
        for (uint32_t at = 0; at < index.files()[file].entries; ++at)
            places.push_back({entries[at].location, file, at});
    }
    std::sort(places.begin(), places.end(),
              [](const EntryPlace& a, const EntryPlace& b) { return a.location < b.location; });
    return places;
}

bool lists(const RestorePoint& point, const SlotClaim& claim) {
    const FileRecord* file = find_file(point.files, claim.file.id);
    return file && file->birth == claim.file.birth && claim.block < file->length;
}

}  // namespace

Result<Verified> verify(sys::Disk& disk, const char* root, const RestorePoint& point,
                        const BlockVisitor& visit) {
    auto doing = [&] {
        return fmt::format("verify restore point {:016x}/{}/{}", point.id.log.lineage,
                           point.id.log.incarnation, point.id.number);
    };
    std::vector<LoadedIndex> indexes;
    for (const IndexRef& ref : point.indexes)
        indexes.push_back(TRY_CTX(LoadedIndex::load(disk, root, ref), "{}", doing()));
    SlotReader slots(disk, root);
    Verified verified;
    alignas(8) char page[kBlockBytes];
    for (const FileRecord& file : point.files)
        for (uint32_t block = 0; block < file.length; ++block, ++verified.blocks) {
            auto found = TRY_CTX(look_up(indexes, {file.id, file.birth}, block), "{}", doing());
            if (found) {
                TRY_CTX(slots.header(*found), "{}", doing());
                TRY_CTX(slots.page(*found, page), "{}", doing());
                ++verified.pages;
            }
            if (visit) visit(file, block, found ? page : nullptr);
        }
    return verified;
}

Verifier::Verifier(sys::Disk& disk, std::string root, size_t damaged_kept)
    : disk_(&disk), root_(std::move(root)), damaged_kept_(damaged_kept), slots_(disk, root_) {}

Result<const IndexFindings*> Verifier::index(const IndexRef& ref) {
    auto [at, is_new] = findings_.try_emplace(key(ref));
    if (!is_new) return &at->second;
    auto checked = check(ref, at->second);
    if (!checked && !is_damage(checked.error())) {
        findings_.erase(at);
        return std::move(checked).error();
    }
    if (!checked) at->second.unreadable = checked.error();
    return &at->second;
}

void Verifier::close_files() {
    slots_ = SlotReader(*disk_, root_);
    loaded_.clear();
}

Result<void> Verifier::check(const IndexRef& ref, IndexFindings& findings) {
    LoadedIndex index = TRY(LoadedIndex::load(*disk_, root_.c_str(), ref));
    ++counts_.indexes;
    counts_.bytes += index.bytes();
    auto path = index_path(root_.c_str(), {ref.lineage, ref.incarnation}, ref.number);
    TRY_CTX(check_order(index.reader(), ref.lineage), "check index {}", path.text);
    auto places = entries_of(index.reader());
    for (size_t i = 0; i < places.size(); ++i) {
        const IndexFile& file = index.reader().files()[places[i].file];
        const IndexEntry& entry = index.reader().entries(&file)[places[i].entry];
        auto claim = TRY_CTX(claim_of(index.reader(), {file.id, file.birth}, entry),
                             "check index {}", path.text);
        TRY(check_slot(claim, findings));
        if (i % kSlotsBetweenProgress == 0) TRY(go_on());
    }
    return {};
}

Result<void> Verifier::check_slot(const SlotClaim& claim, IndexFindings& findings) {
    auto read = read_slot(claim);
    if (read) return {};
    if (!is_damage(read.error())) return read;
    if (TRY(slots_.is_gone(claim))) {
        findings.gone.push_back(claim);
        return {};
    }
    ++findings.damaged_count;
    if (findings.damaged.size() < damaged_kept_)
        findings.damaged.push_back({claim, std::move(read).error()});
    return {};
}

Result<void> Verifier::read_slot(const SlotClaim& claim) {
    counts_.bytes += sizeof(SlotHeader);
    TRY(slots_.header(claim));
    std::vector<bool>& good = good_pages_[{claim.log, claim.slot / kSlotsPerSegment}];
    good.resize(kSlotsPerSegment);
    auto known = good[claim.slot % kSlotsPerSegment];
    if (known) return {};
    alignas(8) char bytes[kBlockBytes];
    ++counts_.pages;
    counts_.bytes += kBlockBytes;
    TRY(slots_.page(claim, bytes));
    known = true;
    return {};
}

Result<std::vector<const DamagedSlot*>> Verifier::shown_by(const RestorePoint& point) {
    std::vector<const DamagedSlot*> shown;
    std::map<Key, LoadedIndex> loaded;
    std::vector<const LoadedIndex*> newer;
    size_t last = point.indexes.size();
    while (last > 0 && findings_.at(key(point.indexes[last - 1])).is_sound()) --last;
    for (size_t at = 0; at < last; ++at) {
        const IndexRef& ref = point.indexes[at];
        IndexFindings& findings = findings_.at(key(ref));
        auto shows = [&](const SlotClaim& claim) {
            return lists(point, claim) &&
                   std::none_of(newer.begin(), newer.end(), [&](const LoadedIndex* index) {
                       IndexEntry entry;
                       return index->reader().lookup(claim.file.id, claim.file.birth, claim.block,
                                                     &entry) != IndexAnswer::unknown;
                   });
        };
        take_lost(findings, shows);
        for (DamagedSlot& slot : findings.damaged) {
            if (!shows(slot.claim)) continue;
            slot.shown = true;
            shown.push_back(&slot);
        }
        if (findings.unreadable) continue;
        auto kept = loaded_.extract(key(ref));
        auto place =
            kept ? loaded.insert(std::move(kept)).position
                 : loaded.emplace(key(ref), TRY(LoadedIndex::load(*disk_, root_.c_str(), ref)))
                       .first;
        newer.push_back(&place->second);
    }
    loaded_ = std::move(loaded);
    return shown;
}

// Slots that are gone though a restore point shows them have not been given back.
void Verifier::take_lost(IndexFindings& findings,
                         const std::function<bool(const SlotClaim&)>& shows) const {
    auto lost = std::stable_partition(findings.gone.begin(), findings.gone.end(),
                                      [&](const SlotClaim& claim) { return !shows(claim); });
    for (auto at = lost; at != findings.gone.end(); ++at) {
        ++findings.damaged_count;
        if (findings.damaged.size() < damaged_kept_)
            findings.damaged.push_back({*at, damaged_slot("page", *at)});
    }
    findings.gone.erase(lost, findings.gone.end());
}

std::vector<const DamagedSlot*> Verifier::unshown() const {
    // Merged indexes name a slot again.
    std::map<std::pair<LogId, uint64_t>, const DamagedSlot*> found;
    for (const auto& [ref, findings] : findings_)
        for (const DamagedSlot& slot : findings.damaged) {
            const DamagedSlot*& known = found[{slot.claim.log, slot.claim.slot}];
            if (!known || slot.shown) known = &slot;
        }
    std::vector<const DamagedSlot*> slots;
    for (const auto& [place, slot] : found)
        if (!slot->shown) slots.push_back(slot);
    return slots;
}

}  // namespace tarn::store
