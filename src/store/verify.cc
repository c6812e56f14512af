#include "store/verify.h"

#include <fcntl.h>

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "store/index_writer.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

struct Found {
    LogId log;
    uint64_t slot;
    uint32_t page_crc;
};

class Verifier {
  public:
    Verifier(sys::Disk& disk, const char* root) : disk_(disk), root_(root) {}

    Result<void> load(const RestorePoint& point) {
        for (const IndexRef& ref : point.indexes)
            indexes_.push_back(TRY(LoadedIndex::load(disk_, root_, ref)));
        return {};
    }

    // The newest index that knows the block has the answer; nullopt: zeros.
    Result<std::optional<Found>> look_up(const FileRecord& file, uint32_t block) const {
        for (const LoadedIndex& index : indexes_) {
            IndexEntry entry;
            IndexAnswer answer = index.reader().lookup(file.id, file.birth, block, &entry);
            if (answer == IndexAnswer::unknown) continue;
            if (answer == IndexAnswer::zeros) break;
            Location location{entry.location};
            if (location.source() == 0 || location.source() > index.reader().header()->source_count)
                return error(Code::data_loss, "an index names source {} of {}", location.source(),
                             index.reader().header()->source_count);
            LogId log = index.reader().sources()[location.source() - 1];
            return std::optional<Found>({log, location.slot(), entry.page_crc});
        }
        return std::optional<Found>();
    }

    Result<void> read(const Found& found, const FileRecord& file, uint32_t block, void* page) {
        SlotHeader header;
        sys::File* slots = TRY(segment(found, true));
        TRY(slots->read(&header, sizeof header, found.slot % kSlotsPerSegment * sizeof header));
        bool expected = slot_state(header, found.log, found.slot) == SlotState::written &&
                        header.kind == SlotKind::page && header.file == file.id &&
                        header.birth == file.birth && header.block == block &&
                        header.page_crc == found.page_crc;
        if (!expected) return damaged("header", found);
        sys::File* pages = TRY(segment(found, false));
        TRY(pages->read(page, kBlockBytes, found.slot % kSlotsPerSegment * kBlockBytes));
        if (crc32c(0, page, kBlockBytes) != found.page_crc) return damaged("page", found);
        return {};
    }

  private:
    static Error damaged(const char* what, const Found& found) {
        return error(Code::data_loss, "{} of slot {} in log {:016x}/{} is not what was written",
                     what, found.slot, found.log.lineage, found.log.incarnation);
    }

    Result<sys::File*> segment(const Found& found, bool slots) {
        uint64_t number = found.slot / kSlotsPerSegment;
        auto key = std::tuple(found.log, number, slots);
        auto open = files_.find(key);
        if (open == files_.end()) {
            sys::File file = TRY(sys::File::open(
                disk_, segment_path(root_, found.log, number, slots).text, O_RDONLY));
            open = files_.emplace(key, std::move(file)).first;
        }
        return &open->second;
    }

    sys::Disk& disk_;
    const char* root_;
    std::vector<LoadedIndex> indexes_;
    std::map<std::tuple<LogId, uint64_t, bool>, sys::File> files_;
};

}  // namespace

Result<Verified> verify(sys::Disk& disk, const char* root, const RestorePoint& point,
                        const BlockVisitor& visit) {
    auto doing = [&] {
        return fmt::format("verify restore point {:016x}/{}/{}", point.id.log.lineage,
                           point.id.log.incarnation, point.id.number);
    };
    Verifier verifier(disk, root);
    TRY_CTX(verifier.load(point), "{}", doing());
    Verified verified;
    alignas(8) char page[kBlockBytes];
    for (const FileRecord& file : point.files)
        for (uint32_t block = 0; block < file.length; ++block, ++verified.blocks) {
            auto found = TRY_CTX(verifier.look_up(file, block), "{}", doing());
            if (found) {
                TRY_CTX(verifier.read(*found, file, block, page), "{}", doing());
                ++verified.pages;
            }
            if (visit) visit(file, block, found ? page : nullptr);
        }
    return verified;
}

}  // namespace tarn::store
