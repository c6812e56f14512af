// repository.h: backups in an object store.
//
//   objects/<hash>    a part of some file, named by its contents, so that it is there once
//   backups/<id>      a manifest; ids sort by time
//   running/...       who is at it (turn.h)
//
// Invariants
//   K1  a manifest is put after all objects that it names: a backup that can be seen is whole.
//       [BackupTest.KilledAnywhereTheNextOneGoesOn]
//   K2  what is read back is what was put, or it is data_loss: contents are compared with their
//       name. [BackupTest.ADamagedObjectIsNamedAndTheRestRestored]
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backup/manifest.h"
#include "backup/turn.h"
#include "objects/envelope.h"
#include "objects/object_store.h"

namespace tarn::backup {

class Repository {
  public:
    Repository(std::unique_ptr<objects::ObjectStore> store, objects::Envelope envelope)
        : store_(std::move(store)), envelope_(std::move(envelope)) {}

    std::string place() const { return store_->place(); }
    bool encrypts() const { return envelope_.encrypts(); }

    // Of a backup or a pruning; not longer than the repository.
    std::unique_ptr<Turn> turn(sys::Clock& clock, Turn::Kind kind) {
        return std::make_unique<Turn>(*store_, clock, kind);
    }

    struct Sent {
        uint64_t objects = 0;  // that were not there yet
        uint64_t bytes = 0;    // on their way, so compressed
    };
    // Learns what is there already. Before the first put_part().
    Result<void> look();
    // The hash that names the contents; they are sent unless they are there.
    Result<std::string> put_part(std::string_view contents);
    // Is it there, as far as was seen?
    bool has_part(const std::string& hash) const { return known_.contains(hash); }
    const Sent& sent() const { return sent_; }

    Result<std::string> get_part(const std::string& hash);
    Result<std::map<std::string, uint64_t>> parts();  // that are there, with their objects' bytes
    Result<void> remove_part(const std::string& hash);
    // Of writers that died, if they began before then.
    void remove_leftovers(Time before);

    Result<std::vector<std::string>> ids();  // oldest first
    Result<void> put_manifest(const Manifest& manifest);
    // The manifest only: objects stay, for another backup may be about to name them.
    Result<void> forget(const std::string& id);
    // What to tell whoever looks for one where there is none.
    Error no_backup() const;
    // The newest one, if all there are come from one source; bad_request otherwise, not_found if
    // there is none.
    Result<std::string> only_newest();
    Result<Manifest> manifest(const std::string& id);
    // The newest of that source, if it can be read.
    Result<std::optional<Manifest>> newest_of(const std::string& source);

  private:
    std::unique_ptr<objects::ObjectStore> store_;
    objects::Envelope envelope_;
    std::set<std::string> known_;
    Sent sent_;
};

}  // namespace tarn::backup
