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

// From the newest to the oldest: of each source all up to the first without problems stay.
Result<Choice> choose(Repository& repository, Time now, Time oldest) {
    Choice choice;
    std::set<std::string> sources;  // of which a good one has been seen
    auto ids = TRY(repository.ids());
    if (!ids.empty() && ids.back() > sortable(now + Turn::kFresh))
        return error(Code::bad_request, "backup {} is from the future", ids.back())
            .with_hint(
                "which one is the newest is not known, so nothing was removed; set the clock, or "
                "remove the object backups/" +
                ids.back());
    for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
        if (sources.contains(source_in(*id)) && *id < sortable(oldest)) {
            choice.go.push_back(*id);
            continue;
        }
        auto manifest = repository.manifest(*id);
        if (!manifest && manifest.error().code() == Code::data_loss)
            return std::move(manifest).error().with_hint(
                "which objects it needs is not known, so nothing was removed; remove the object "
                "backups/" +
                *id + " if it is to go");
        auto kept = TRY_CTX(std::move(manifest), "read backup {}, which is to stay", *id);
        ++choice.stay;
        if (kept.problems.empty()) sources.insert(source_in(*id));
        for (const SavedFile& file : kept.files)
            choice.parts.insert(file.parts.begin(), file.parts.end());
    }
    return choice;
}

}  // namespace

Result<Pruned> run_prune(Repository& repository, sys::Clock& clock, const PruneRequest& request) {
    if (TRY(repository.ids()).empty())  // before anything is made in a place that is none
        return error(Code::not_found, "there is no backup in {}", repository.place())
            .with_hint("name the place that `tarn backup --to` was given");
    auto turn = repository.turn(clock, Turn::Kind::pruning);
    TRY(turn->begin(request.patience));
    repository.remove_leftovers(clock.now() - Turn::kDeadForSure);
    auto choice = TRY(choose(repository, clock.now(), clock.now() - request.keep));
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
