// map_view.cc: the page map of a running incarnation, read through its file. Nothing is mapped and
// no offset in it is believed: it may be of a dead machine, and somebody may be writing to it.

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "base/lsn.h"
#include "inspect/views.h"
#include "store/page_map.h"
#include "sys/files.h"

namespace tarn::inspect {

namespace {

constexpr uint64_t kUnit = 64;  // offsets in the map count such

// Follows each bucket; more entries than the map has room for are a loop.
Result<Document> files_of(const sys::File& file, const store::MapHeader& header,
                          const Narrow& narrow, Document& document) {
    uint64_t arena = std::min(header.arena_next.load(), TRY(file.size()));
    uint64_t steps_left = arena / sizeof(store::FileEntry), live = 0;
    Document rows = Document::array();
    for (const auto& bucket : header.buckets) {
        for (uint64_t at = bucket.load(); at != 0;) {
            if (at * kUnit + sizeof(store::FileEntry) > arena || steps_left-- == 0) {
                add_damage(document, "a list of files leads out of the map, or in a circle");
                return rows;
            }
            alignas(store::FileEntry) char bytes[sizeof(store::FileEntry)];
            TRY(file.read(bytes, sizeof bytes, at * kUnit));
            const auto& entry = *reinterpret_cast<const store::FileEntry*>(bytes);
            at = entry.next;
            if (entry.state.load() != store::FileState::live) continue;
            ++live;
            if (narrow.relation && entry.id != *narrow.relation) continue;
            if (rows.size() < narrow.limit)
                rows.push_back({{"file", file_text(entry.id)},
                                {"birth", entry.birth.load()},
                                {"blocks", entry.length.load()},
                                {"inherited", entry.inherited.load()}});
        }
    }
    document["live_files"] = live;
    return rows;
}

}  // namespace

Result<Document> map_view(const Target& target, const Narrow& narrow) {
    auto file = TRY(sys::File::open(sys::real_disk(), target.path, O_RDONLY));
    // Zeros where the file ends early; the header is of words, any bytes of which are a value.
    auto room = std::make_unique<std::vector<uint64_t>>((sizeof(store::MapHeader) + 2 * kUnit) /
                                                        sizeof(uint64_t));
    void* place = room->data();
    size_t space = room->size() * sizeof(uint64_t);
    std::align(kUnit, sizeof(store::MapHeader), place, space);
    size_t got = TRY(file.read_some(place, sizeof(store::MapHeader), 0));
    const auto& header = *static_cast<const store::MapHeader*>(place);
    Document document{{"log", text_of(store::LogId{header.lineage, header.incarnation})},
                      {"state", text_of(header.state.load())},
                      {"arena", size_text(header.arena_next.load())},
                      {"next_slot", header.next_slot.load()},
                      {"next_birth", header.next_birth.load()},
                      {"writes_completed", header.completed_ticks.load()},
                      {"writes_durable", header.durable_ticks.load()},
                      {"wal_durable_to", Lsn{header.flushed_position.load()}.text()},
                      {"tli", header.flushed_epoch.load()}};
    if (got < sizeof(store::MapHeader) || !store::PageMap::valid(&header)) {
        add_damage(document, "these bytes are no map of this version");
        return document;
    }
    const store::ControlBuffer& control = header.control[header.control_index.load() & 1];
    document["seals"] = control.seal_number;
    document["seal_slot"] = control.seal_slot;
    document["indexes"] = std::min(header.index_count, store::kMaxIndexes);
    document["sources"] = std::min(header.source_count, store::kMaxSources);
    document["files"] = TRY(files_of(file, header, narrow, document));
    return document;
}

}  // namespace tarn::inspect
