// packed_view.cc: pages that were packed.

#include <cstring>
#include <vector>

#include "inspect/views.h"
#include "store/packed_reader.h"
#include "sys/files.h"

namespace tarn::inspect {

Result<Document> packed_view(const Target& target, const Narrow& narrow) {
    std::string bytes = TRY(sys::read_file(sys::real_disk(), target.path));
    Document document{{"bytes", size_text(bytes.size())}};
    store::PackedHeader header;
    if (bytes.size() < sizeof header) {
        add_damage(document, "it is shorter than its header");
        return document;
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    store::LogId log{header.lineage, header.incarnation};
    document["log"] = text_of(log);
    document["first_slot"] = header.segment * store::kSlotsPerSegment;
    document["pages"] = header.count;
    bool fits = store::is_packed_header(header, target.log.value_or(log),
                                        target.number.value_or(header.segment), bytes.size()) &&
                header.count <= (bytes.size() - sizeof header) / sizeof(store::PackedEntry);
    if (!fits) {
        add_damage(document, "magic, version, log, segment or counts are not those of this file");
        return document;
    }
    std::vector<store::PackedEntry> entries(header.count);
    size_t entry_bytes = entries.size() * sizeof(store::PackedEntry);
    std::memcpy(entries.data(), bytes.data() + sizeof header, entry_bytes);
    if (header.expected_crc(entries.data(), entry_bytes) != header.crc)
        add_damage(document, "the checksum of header and entries is not that of their bytes");
    Document rows = Document::array();
    uint64_t in_slots = 0;
    for (const store::PackedEntry& entry : entries) {
        uint64_t slot = header.segment * store::kSlotsPerSegment + entry.place;
        if (entry.bytes == 0) ++in_slots;
        bool wanted = slot >= narrow.from && slot < narrow.to.value_or(UINT64_MAX);
        if (wanted && rows.size() < narrow.limit)
            rows.push_back({{"slot", slot}, {"byte", entry.offset}, {"packed_into", entry.bytes}});
    }
    document["left_in_their_slots"] = in_slots;
    document["entries"] = std::move(rows);
    return document;
}

}  // namespace tarn::inspect
