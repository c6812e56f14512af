#include "backup/prune.h"

#include <set>

#include "backup/turn.h"

namespace tarn::backup {

namespace {

struct Choice {
    std::vector<std::string> go;
    std::set<std::string> parts;  // of those that stay
    size_t stay = 0;
};

// From the newest to the oldest: the first of each source stays.
Result<Choice> choose(Repository& repository, Time oldest) {
    Choice choice;
    std::set<std::string> sources;
    auto ids = TRY(repository.ids());
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
        auto manifest = repository.manifest(*id);
        if (!manifest)
            return std::move(manifest).error().with_hint(
                "which objects it needs is not known, so nothing was removed; remove the object "
                "backups/" +
                *id + " if it is to go");
        if (!sources.insert(manifest->source).second && manifest->taken < oldest) {
            choice.go.push_back(*id);
            continue;
        }
        ++choice.stay;
        for (const SavedFile& file : manifest->files)
            choice.parts.insert(file.parts.begin(), file.parts.end());
    }
    return choice;
}

}  // namespace

Result<Pruned> run_prune(Repository& repository, sys::Clock& clock, const PruneRequest& request) {
    auto turn = repository.turn(clock, Turn::Kind::pruning);
    TRY(turn->begin());
    auto choice = TRY(choose(repository, clock.now() - request.keep));
    Pruned pruned;
    pruned.left = choice.stay;
    for (const std::string& id : choice.go) {
        TRY(turn->keep());
        TRY(repository.forget(id));
        ++pruned.backups;
    }
    auto parts = TRY(repository.parts());
    size_t looked_at = 0;
    for (const auto& [hash, bytes] : parts) {
        if (request.progress) request.progress(++looked_at, parts.size());
        if (choice.parts.contains(hash)) continue;
        TRY(turn->keep());
        TRY(repository.remove_part(hash));
        ++pruned.objects;
        pruned.bytes += bytes;
    }
    return pruned;
}

}  // namespace tarn::backup
