#include "store/slot_scan.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>
#include <string_view>

#include "store/paths.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr uint64_t kHeadersAtOnce = 4096;

// A header that is being copied into the page cache right now can be seen half there. It is a
// matter of nanoseconds unless the writer loses its processor in between.
constexpr int kRereads = 10000;

Result<SlotHeader> reread(const sys::File& file, LogId log, uint64_t slot) {
    SlotHeader header;
    for (int attempt = 0; attempt < kRereads; ++attempt) {
        TRY(file.read(&header, sizeof header, slot % kSlotsPerSegment * sizeof header));
        if (slot_state(header, log, slot) != SlotState::damaged) return header;
        ::sched_yield();
    }
    return error(Code::data_loss, "header of slot {} in {} is damaged", slot, file.path())
        .with_hint(
            "nothing can be sealed on this log any more; restart the compute, which goes on "
            "from its last restore point");
}

}  // namespace

SlotState slot_state(const SlotHeader& header, LogId log, uint64_t slot) {
    static constexpr SlotHeader nothing{};
    if (std::memcmp(&header, &nothing, sizeof header) == 0) return SlotState::hole;
    bool good =
        header.crc == header.expected_crc() && header.slot == slot &&
        header.lineage == log.lineage && header.incarnation == log.incarnation &&
        header.kind > SlotKind::none && header.kind <= SlotKind::unused && header.reserved == 0 &&
        (header.kind == SlotKind::copy ? header.copied_slot < slot : header.copied_slot == 0);
    return good ? SlotState::written : SlotState::damaged;
}

Result<void> scan_slots(sys::Disk& disk, const char* root, LogId log, uint64_t from, uint64_t to,
                        std::vector<uint64_t>& holes,
                        const std::function<void(const SlotHeader&)>& visit) {
    std::vector<SlotHeader> headers(std::min(kHeadersAtOnce, to > from ? to - from : 0));
    std::optional<sys::File> file;
    for (uint64_t at = from; at < to;) {
        uint64_t place = at % kSlotsPerSegment;
        if (!file || place == 0)
            file = TRY_CTX(
                sys::File::open(disk, segment_path(root, log, at / kSlotsPerSegment, true).text,
                                O_RDONLY),
                "scan log");
        uint64_t count = std::min({kHeadersAtOnce, to - at, kSlotsPerSegment - place});
        std::memset(static_cast<void*>(headers.data()), 0, count * sizeof(SlotHeader));
        // Where the file ends early, nothing has been written yet.
        TRY_CTX(
            file->read_some(headers.data(), count * sizeof(SlotHeader), place * sizeof(SlotHeader)),
            "scan log");
        for (uint64_t i = 0; i < count; ++i) {
            SlotState state = slot_state(headers[i], log, at + i);
            if (state == SlotState::damaged) {
                headers[i] = TRY_CTX(reread(*file, log, at + i), "scan log");
                state = slot_state(headers[i], log, at + i);
            }
            if (state == SlotState::hole)
                holes.push_back(at + i);
            else
                visit(headers[i]);
        }
        at += count;
    }
    return {};
}

std::optional<uint64_t> segment_in(const std::string& name) {
    uint64_t number = 0;
    uint32_t packed = 0;
    if (is_packed_name(name.c_str(), &number, &packed)) return number;
    auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
    std::string_view suffix = end;
    if (failure != std::errc() || (suffix != ".slots" && suffix != ".pages")) return std::nullopt;
    return number;
}

Result<std::vector<uint64_t>> segments_of(sys::Disk& disk, const char* root, LogId log) {
    std::set<uint64_t> numbers;
    for (const std::string& name :
         TRY(sys::list_names(disk, incarnation_directory(root, log).text)))
        if (auto segment = segment_in(name)) numbers.insert(*segment);
    return std::vector<uint64_t>(numbers.begin(), numbers.end());
}

}  // namespace tarn::store
