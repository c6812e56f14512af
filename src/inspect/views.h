// views.h: one view for each format. Reads only, takes no lock, and describes damaged bytes instead
// of failing on them: an Error says only that the file could not be looked at.
#pragma once

#include <optional>

#include "base/file_id.h"
#include "inspect/document.h"
#include "inspect/target.h"
#include "store/lineage.h"

namespace tarn::inspect {

// A block of a relation: the file (its segment included) and the block in it.
struct BlockName {
    FileId file;
    uint32_t block = 0;
};

// What a reader wants to see of a large file.
struct Narrow {
    std::optional<FileId> relation;
    std::optional<uint32_t> block;
    uint64_t from = 0;  // slots
    std::optional<uint64_t> to;
    size_t limit = 20;  // rows of a list
};

// The view of the file's format.
Result<Document> view(const Target& target, const Narrow& narrow);

Result<Document> slots_view(const Target& target, const Narrow& narrow);
Result<Document> pages_view(const Target& target, const Narrow& narrow);
Result<Document> packed_view(const Target& target, const Narrow& narrow);
Result<Document> index_view(const Target& target, const Narrow& narrow);
Result<Document> restore_point_view(const Target& target, const Narrow& narrow);
Result<Document> lineage_view(const Target& target);
Result<Document> incarnation_view(const Target& target);
Result<Document> map_view(const Target& target, const Narrow& narrow);
Result<Document> control_view(const Target& target);
Result<Document> wal_view(const Target& target, const Narrow& narrow);
Result<Document> compressed_wal_view(const Target& target, const Narrow& narrow);
Result<Document> text_view(const Target& target);
Result<Document> object_view(const Target& target, const Narrow& narrow);
Result<Document> record_view(const Target& target);

// "1663/5/16384", "1663/5/16384_vm.1", or a path below PGDATA such as "base/5/16384".
Result<FileId> parse_relation(const std::string& text);
// Its path below PGDATA, or the two words of an identity that names none.
std::string file_text(FileId file);
std::string text_of(store::LogId log);
std::string text_of(store::LogState state);

}  // namespace tarn::inspect
