#include "compute/note_file.h"

#include <sstream>

#include "sys/files.h"

namespace tarn::compute {

Error unreadable_note(const std::string& path, const NoteKind& kind) {
    return error(Code::data_loss, "{} does not say {}", path, kind.purpose);
}

Result<std::optional<std::vector<std::string>>> read_note(sys::Disk& disk, const std::string& path,
                                                          const NoteKind& kind) {
    auto text = sys::read_file(disk, path);
    if (!text && text.error().code() == Code::not_found)
        return std::optional<std::vector<std::string>>();
    std::istringstream lines(TRY(std::move(text)));
    std::string magic;
    std::getline(lines, magic);
    std::vector<std::string> values(kind.values);
    for (std::string& value : values) std::getline(lines, value);
    if (!lines || magic != kind.magic) return unreadable_note(path, kind);
    return std::optional(std::move(values));
}

Result<void> write_note(sys::Disk& disk, const std::string& path, const NoteKind& kind,
                        const std::vector<std::string>& values) {
    std::string text(kind.magic);
    text += '\n';
    for (const std::string& value : values) text += value + '\n';
    return sys::replace_durably(disk, path, text, sys::SyncSite::lineage_data,
                                sys::SyncSite::lineage_directory);
}

}  // namespace tarn::compute
