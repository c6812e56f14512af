// record_views.cc: records of lineages, incarnations and restore points.

#include <cstring>

#include "compute/lives.h"
#include "inspect/attachments_view.h"
#include "inspect/views.h"
#include "store/codec.h"
#include "store/lineage_record.h"
#include "sys/files.h"

namespace tarn::inspect {

namespace {

std::string origin_text(const store::RestorePointId& id) {
    return id.number == 0 ? "none: it began empty" : compute::text_of(id);
}

// What can be said of a record that no decoder believes.
Document damaged_record(std::string_view bytes, const Error& why) {
    Document document;
    store::RecordPrefix prefix;
    if (bytes.size() >= sizeof prefix) {
        std::memcpy(&prefix, bytes.data(), sizeof prefix);
        document["as_written"] = {{"version", prefix.version},
                                  {"crc", fmt::format("{:08x}", prefix.crc)},
                                  {"crc_of_bytes", fmt::format("{:08x}", store::record_crc(bytes))},
                                  {"total_bytes", prefix.total_bytes}};
    }
    document["bytes"] = bytes.size();
    add_damage(document, why.text());
    return document;
}

// A record says whose it is: in another's place it is worth nothing.
void compare_place(Document& document, const Target& target, store::LogId log) {
    if (target.log && *target.log != log)
        add_damage(document, fmt::format("it is the record of {}, and lies in {}", text_of(log),
                                         text_of(*target.log)));
}

Document files_document(const store::RestorePoint& point, const Narrow& narrow) {
    Document files = Document::array();
    for (const store::FileRecord& file : point.files) {
        if (narrow.relation && file.id != *narrow.relation) continue;
        if (files.size() >= narrow.limit) break;
        files.push_back(
            {{"file", file_text(file.id)}, {"birth", file.birth}, {"blocks", file.length}});
    }
    return files;
}

}  // namespace

Result<Document> lineage_view(const Target& target) {
    std::string bytes = TRY(sys::read_file(sys::real_disk(), target.path));
    auto record = store::decode_lineage(bytes);
    if (!record) return damaged_record(bytes, record.error());
    Document document{{"lineage", fmt::format("{:016x}", record->lineage)},
                      {"began_from", origin_text(record->parent)},
                      {"attachments", attachments_document(record->attachments)}};
    compare_place(document, target, {record->lineage, 0});
    return document;
}

Result<Document> incarnation_view(const Target& target) {
    std::string bytes = TRY(sys::read_file(sys::real_disk(), target.path));
    auto record = store::decode_incarnation(bytes);
    if (!record) return damaged_record(bytes, record.error());
    Document document{{"incarnation", text_of(record->log)},
                      {"base", origin_text(record->base)},
                      {"attachments", attachments_document(record->attachments)}};
    compare_place(document, target, record->log);
    return document;
}

Result<Document> restore_point_view(const Target& target, const Narrow& narrow) {
    std::string bytes = TRY(sys::read_file(sys::real_disk(), target.path));
    auto point = store::decode_restore_point(bytes);
    if (!point) return damaged_record(bytes, point.error());
    Document indexes = Document::array();
    for (const store::IndexRef& ref : point->indexes)
        indexes.push_back(fmt::format("{:016x}/{}/{}", ref.lineage, ref.incarnation, ref.number));
    Document holes = Document::array();
    for (size_t i = 0; i < point->holes.size() && i < narrow.limit; ++i)
        holes.push_back(point->holes[i]);
    Document document{{"restore_point", compute::text_of(point->id)},
                      {"record", size_text(bytes.size())},
                      {"seal_slot", point->seal_slot},
                      {"next_birth", point->next_birth},
                      {"attachments", attachments_document(point->attachments)},
                      {"indexes_newest_first", std::move(indexes)},
                      {"hole_count", point->holes.size()},
                      {"holes", std::move(holes)},
                      {"file_count", point->files.size()},
                      {"logical_size", size_text(compute::bytes_of_files(*point))},
                      {"files", files_document(*point, narrow)}};
    compare_place(document, target, point->id.log);
    return document;
}

}  // namespace tarn::inspect
