// note_file.h: small files for people, too: what one is on its first line, then
// one value a line.
//
// Crash: renamed into place after a sync; there whole, or not.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/disk.h"

namespace tarn::compute {

struct NoteKind {
    std::string_view magic;    // with its version
    size_t values;             // how many
    std::string_view purpose;  // completes "it does not say ..."
};

// Nothing if there is none. data_loss if it is no such note.
Result<std::optional<std::vector<std::string>>> read_note(sys::Disk& disk, const std::string& path,
                                                          const NoteKind& kind);
// What a note says that cannot be understood.
Error unreadable_note(const std::string& path, const NoteKind& kind);
Result<void> write_note(sys::Disk& disk, const std::string& path, const NoteKind& kind,
                        const std::vector<std::string>& values);

}  // namespace tarn::compute
