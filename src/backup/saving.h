// saving.h: files as parts in a repository; those that have not changed are not read again.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/inventory.h"
#include "backup/repository.h"
#include "base/result.h"
#include "sys/files.h"

namespace tarn::backup {

class Saving {
  public:
    // `before`: an earlier backup of the same source, if there is one; it stays. `go_on` is called
    // between parts, and may end it.
    Saving(Repository& repository, const Manifest* before, std::function<Result<void>()> go_on);

    // A bad place of the disk costs what lies there, and no more: it is noted in `problems`.
    // Nothing is answered for a file that is read whole or not at all.
    Result<std::optional<SavedFile>> save(const FileToSave& file);

    std::vector<std::string> problems;

  private:
    Result<std::string> read_part(const sys::File& opened, const FileToSave& file, uint64_t at);
    bool is_unchanged(const SavedFile& saved, const FileToSave& file);
    const SavedFile* same_file(const SavedFile& saved, const FileToSave& file) const;

    Repository& repository_;
    std::function<Result<void>()> go_on_;
    std::map<std::string, const SavedFile*> before_;
    std::map<uint64_t, SavedFile> by_inode_;  // that were saved already
};

}  // namespace tarn::backup
