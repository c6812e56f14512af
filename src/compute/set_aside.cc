#include "compute/set_aside.h"

#include "compute/note_file.h"
#include "store/paths.h"

namespace tarn::compute {

namespace {

constexpr NoteKind kNote = {"tarn set_aside 1", 2, "which times were set aside"};

std::string path_of(const store::Store& store, uint64_t lineage) {
    return fmt::format("{}/set_aside",
                       store::lineage_directory(store.root().c_str(), lineage).text);
}

}  // namespace

Result<std::optional<SetAside>> set_aside_of(const store::Store& store, uint64_t lineage) {
    std::string path = path_of(store, lineage);
    auto note = TRY(read_note(store.disk(), path, kNote));
    if (!note) return std::optional<SetAside>();
    auto begin = parse_rfc3339(note->at(0)), end = parse_rfc3339(note->at(1));
    if (!begin || !end) return unreadable_note(path, kNote);
    return std::optional(SetAside{*begin, *end});
}

Result<void> write_set_aside(const store::Store& store, uint64_t lineage, const SetAside& times) {
    return write_note(store.disk(), path_of(store, lineage), kNote,
                      {rfc3339(times.from), rfc3339(times.until)});
}

}  // namespace tarn::compute
