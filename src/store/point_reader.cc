#include "store/point_reader.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "store/paths.h"
#include "store/slot_scan.h"

namespace tarn::store {

namespace {

constexpr size_t kOpenFiles = 64;
constexpr uint64_t kHeadersAtOnce = 64;

}  // namespace

bool is_damage(const Error& failure) {
    switch (failure.code()) {
        case Code::permission_denied:
        case Code::unavailable:
        case Code::timed_out:
        case Code::no_space:
        case Code::internal:
            return false;
        default:
            return true;
    }
}

Error damaged_slot(const char* what, const SlotClaim& claim) {
    return error(Code::data_loss, "{} of slot {} in log {:016x}/{} is not what was written", what,
                 claim.slot, claim.log.lineage, claim.log.incarnation);
}

Result<SlotClaim> claim_of(const IndexReader& index, const FileBirth& file,
                           const IndexEntry& entry) {
    Location location{entry.location};
    if (location.source() == 0 || location.source() > index.header()->source_count)
        return error(Code::data_loss, "an index names source {} of {}", location.source(),
                     index.header()->source_count);
    return SlotClaim{file, entry.block, entry.page_crc, index.sources()[location.source() - 1],
                     location.slot()};
}

Result<std::optional<SlotClaim>> look_up(const std::vector<LoadedIndex>& indexes,
                                         const FileBirth& file, uint32_t block) {
    for (const LoadedIndex& index : indexes) {
        IndexEntry entry;
        IndexAnswer answer = index.reader().lookup(file.id, file.birth, block, &entry);
        if (answer == IndexAnswer::unknown) continue;
        if (answer == IndexAnswer::zeros) break;
        return std::optional(TRY(claim_of(index.reader(), file, entry)));
    }
    return std::optional<SlotClaim>();
}

Result<sys::File*> SlotReader::segment(const SlotClaim& claim, bool slots) {
    uint64_t number = claim.slot / kSlotsPerSegment;
    auto open = files_.find({claim.log, number, slots});
    if (open == files_.end()) {
        if (files_.size() >= kOpenFiles) files_.clear();
        sys::File file = TRY(sys::File::open(
            *disk_, segment_path(root_.c_str(), claim.log, number, slots).text, O_RDONLY));
        open = files_.emplace(Key{claim.log, number, slots}, std::move(file)).first;
    }
    return &open->second;
}

Result<const SlotHeader*> SlotReader::header_at(const SlotClaim& claim) {
    bool there = claim.log == window_log_ && claim.slot >= window_begin_ &&
                 claim.slot < window_begin_ + window_.size();
    if (!there) {
        sys::File* slots = TRY(segment(claim, true));
        uint64_t begin = claim.slot / kHeadersAtOnce * kHeadersAtOnce;
        window_.assign(kHeadersAtOnce, SlotHeader{});
        window_log_ = claim.log;
        window_begin_ = begin;
        auto read = slots->read_some(window_.data(), kHeadersAtOnce * sizeof(SlotHeader),
                                     begin % kSlotsPerSegment * sizeof(SlotHeader));
        if (!read) {
            window_.clear();
            return std::move(read).error();
        }
    }
    return &window_[claim.slot - window_begin_];
}

Result<bool> SlotReader::has_header(const SlotClaim& claim) {
    const SlotHeader& header = *TRY(header_at(claim));
    return slot_state(header, claim.log, claim.slot) == SlotState::written &&
           holds_page(header.kind) && header.file == claim.file.id &&
           header.birth == claim.file.birth && header.block == claim.block &&
           header.page_crc == claim.page_crc;
}

Result<void> SlotReader::header(const SlotClaim& claim) {
    if (TRY(has_header(claim))) return {};
    // The window may have been read before this slot was written.
    window_.clear();
    if (!TRY(has_header(claim))) return damaged_slot("header", claim);
    return {};
}

Result<std::optional<uint64_t>> SlotReader::copied_slot(const SlotClaim& claim) {
    auto there = header(claim);
    if (!there && !is_damage(there.error())) return std::move(there).error();
    if (!there) return std::optional<uint64_t>();
    const SlotHeader& copy = *TRY(header_at(claim));
    if (copy.kind != SlotKind::copy) return std::optional<uint64_t>();
    return std::optional<uint64_t>(copy.copied_slot);
}

Result<void> SlotReader::page(const SlotClaim& claim, void* page) {
    sys::File* pages = TRY(segment(claim, false));
    auto read = pages->read(page, kBlockBytes, claim.slot % kSlotsPerSegment * kBlockBytes);
    if (read.ok() && crc32c(0, page, kBlockBytes) == claim.page_crc) return {};
    // It may be on its way there: then it is there at the latest now.
    int result =
        packed_->read(*disk_, root_.c_str(), {claim.log, claim.slot, claim.page_crc}, page);
    if (result == 0) return {};
    if (!read.ok()) return read;
    if (result != -ENOENT && result != -EIO)
        return errno_error(-result,
                           fmt::format("look for page of slot {} in log {:016x}/{}", claim.slot,
                                       claim.log.lineage, claim.log.incarnation));
    return damaged_slot("page", claim);
}

Result<bool> SlotReader::is_gone(const SlotClaim& claim) {
    auto pages = segment(claim, false);
    if (!pages && pages.error().code() == Code::not_found) return true;
    alignas(8) char page[kBlockBytes] = {};
    sys::File* file = TRY(std::move(pages));
    TRY(file->read_some(page, kBlockBytes, claim.slot % kSlotsPerSegment * kBlockBytes));
    return std::all_of(std::begin(page), std::end(page), [](char byte) { return byte == 0; });
}

Result<PointReader> PointReader::load(sys::Disk& disk, const std::string& root,
                                      RestorePoint point) {
    PointReader reader(disk, root, std::move(point));
    for (const IndexRef& ref : reader.point_.indexes)
        reader.indexes_.push_back(TRY(LoadedIndex::load(disk, root.c_str(), ref)));
    return reader;
}

Result<std::optional<SlotClaim>> PointReader::find(const FileRecord& file, uint32_t block) const {
    if (block >= file.length) return std::optional<SlotClaim>();
    return look_up(indexes_, {file.id, file.birth}, block);
}

Result<void> PointReader::read(const std::optional<SlotClaim>& claim, void* page) {
    if (claim) return slots_.page(*claim, page);
    std::memset(page, 0, kBlockBytes);
    return {};
}

}  // namespace tarn::store
