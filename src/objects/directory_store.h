// directory_store.h: objects as files of a directory; a '/' in a name leads to a directory below.
//
// Invariants
//   B1  when put() has answered, a power loss leaves the object, whole; and until then, all of it
//       or nothing. [ObjectsPowerLoss.WhatWasPutOutlivesIt,
//       EveryObjectSite.WithoutItSomeSeedLosesOne]
//
// Crash: a writer that dies leaves a file whose name begins with '.', which nobody reads and the
// next put() of that object does not mind. It says when it was begun, for remove_leftovers().
#pragma once

#include <set>
#include <string>

#include "objects/object_store.h"
#include "sys/disk.h"

namespace tarn::objects {

class DirectoryStore final : public ObjectStore {
  public:
    // Makes the directory at the first put().
    DirectoryStore(sys::Disk& disk, std::string directory)
        : disk_(&disk), directory_(std::move(directory)) {}

    std::string place() const override { return directory_; }
    Result<void> put(const std::string& name, std::string_view bytes) override;
    Result<std::string> get(const std::string& name) override;
    Result<std::vector<ObjectInfo>> list(const std::string& prefix) override;
    Result<void> remove(const std::string& name) override;
    Result<size_t> remove_leftovers(const std::string& folder, Time before) override;

  private:
    Result<void> prepare(const std::string& directory);
    Result<size_t> remove_leftovers_below(const std::string& directory, Time before);
    Result<void> list_below(const std::string& path, const std::string& prefix,
                            std::vector<ObjectInfo>& found);

    sys::Disk* disk_;
    std::string directory_;
    std::set<std::string> prepared_;  // directories whose own names are durable
};

}  // namespace tarn::objects
