// index_view.cc: sealed indexes.

#include <cstring>

#include "inspect/views.h"
#include "store/index_reader.h"
#include "sys/files.h"

namespace tarn::inspect {

namespace {

Document damaged_index(std::string_view bytes) {
    Document document{{"bytes", bytes.size()}};
    store::IndexFileHeader header;
    if (bytes.size() < sizeof header) {
        add_damage(document, "it is shorter than its header");
        return document;
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    document["as_written"] = {
        {"version", header.version},           {"crc", fmt::format("{:08x}", header.crc)},
        {"file_count", header.file_count},     {"entry_count", header.entry_count},
        {"source_count", header.source_count}, {"total_bytes", header.total_bytes}};
    store::IndexReader reader;
    bool fits = reader.open(bytes.data(), bytes.size(), false) == 0;
    add_damage(document, fits ? "its checksum is not that of its bytes"
                              : "magic, version or counts do not fit its length");
    return document;
}

std::string location_text(const store::IndexReader& reader, uint64_t word) {
    store::Location location{word};
    uint32_t source = location.source();
    if (source == 0 || source > reader.header()->source_count)
        return fmt::format("{:016x}: no such source", word);
    return fmt::format("{} slot {}", text_of(reader.sources()[source - 1]), location.slot());
}

Document entries_document(const store::IndexReader& reader, const store::IndexFile& file,
                          const Narrow& narrow) {
    Document entries = Document::array();
    const store::IndexEntry* first = reader.entries(&file);
    for (uint32_t i = 0; i < file.entries && entries.size() < narrow.limit; ++i)
        if (!narrow.block || first[i].block == *narrow.block)
            entries.push_back({{"block", first[i].block},
                               {"lies_in", location_text(reader, first[i].location)},
                               {"page_crc", fmt::format("{:08x}", first[i].page_crc)}});
    return entries;
}

}  // namespace

Result<Document> index_view(const Target& target, const Narrow& narrow) {
    std::string bytes = TRY(sys::read_file(sys::real_disk(), target.path));
    store::IndexReader reader;
    if (reader.open(bytes.data(), bytes.size(), true) != 0) return damaged_index(bytes);
    const store::IndexFileHeader& header = *reader.header();
    Document sources = Document::array(), files = Document::array();
    for (uint32_t i = 0; i < header.source_count; ++i)
        sources.push_back(text_of(reader.sources()[i]));
    Document entries;
    for (uint64_t i = 0; i < header.file_count && files.size() < narrow.limit; ++i) {
        const store::IndexFile& file = reader.files()[i];
        if (narrow.relation && file.id != *narrow.relation) continue;
        if (narrow.relation)
            entries[fmt::format("birth {}", file.birth)] = entries_document(reader, file, narrow);
        bool cut = file.cut != UINT32_MAX;
        files.push_back({{"file", file_text(file.id)},
                         {"birth", file.birth},
                         {"blocks", file.entries},
                         {"cut_at", cut ? Document(file.cut) : Document("never")}});
    }
    Document document{{"bytes", size_text(bytes.size())},
                      {"sources", std::move(sources)},
                      {"file_count", header.file_count},
                      {"entry_count", header.entry_count},
                      {"files", std::move(files)}};
    if (!entries.is_null()) document["entries"] = std::move(entries);
    return document;
}

}  // namespace tarn::inspect
