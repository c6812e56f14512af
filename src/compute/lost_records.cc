#include "compute/lost_records.h"

#include <algorithm>
#include <string>

#include "base/number.h"
#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/opening.h"
#include "compute/template.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::compute {

Result<std::vector<uint32_t>> incarnations_without_record(const store::Store& store,
                                                          uint64_t lineage,
                                                          const std::vector<uint32_t>& known) {
    std::vector<uint32_t> found;
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    for (const std::string& name : TRY(sys::list_names(store.disk(), directory))) {
        auto number = parse_number<uint32_t>(name);
        if (name.size() != 8 || !number) continue;
        if (std::binary_search(known.begin(), known.end(), *number)) continue;
        // The record comes first: looked for last, it is not one that has come since.
        store::LogId log{lineage, *number};
        if (TRY(store.has_run(log)) &&
            !TRY(sys::exists(store.disk(), incarnation_path(store, log) + "/incarnation")))
            found.push_back(*number);
    }
    return found;
}

namespace {

Error lost_record(const store::Store& store, store::LogId log) {
    return error(Code::data_loss,
                 "the record of incarnation {} of lineage {} is gone: {}/incarnation",
                 log.incarnation, lineage_text(log.lineage), incarnation_path(store, log))
        .with_hint("bring that file back from a copy; nothing was opened, changed or removed");
}

}  // namespace

Result<void> check_newest_is_known(const store::Store& store, uint64_t lineage,
                                   const std::vector<uint32_t>& known) {
    auto lost = TRY(incarnations_without_record(store, lineage, known));
    if (lost.empty()) return {};
    uint32_t newest = *std::max_element(lost.begin(), lost.end());
    if (!known.empty() && newest < known.back()) return {};
    return lost_record(store, {lineage, newest});
}

Result<void> check_all_are_known(const store::Store& store, uint64_t lineage,
                                 const std::vector<uint32_t>& known) {
    auto lost = TRY(incarnations_without_record(store, lineage, known));
    if (lost.empty()) return {};
    return lost_record(store, {lineage, lost.front()});
}

Result<void> remove_attempt(store::Store& store, uint64_t lineage) {
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    auto made = was_made(store, lineage);
    if (!made && made.error().code() == Code::not_found) return {};
    if (TRY(std::move(made)))
        return error(Code::data_loss,
                     "lineage {} is to be made, and {} holds one that has been in use and has lost "
                     "records",
                     lineage_text(lineage), directory)
            .with_hint(
                "`tarn verify` names the files: bring them back from a copy, or move the directory "
                "away");
    return store.remove_lineage(lineage);
}

Result<bool> was_made(const store::Store& store, uint64_t lineage) {
    auto known = TRY(store.incarnations(lineage));
    for (uint32_t number : known) {
        auto record = store.incarnation({lineage, number});
        if (!record || record->base.number != 0 || TRY(store.has_run({lineage, number})))
            return true;
    }
    return !TRY(incarnations_without_record(store, lineage, known)).empty();
}

// Making writes the record first, and removal takes the mark away last. So whoever is seen twice
// with neither, and with something that was made, has lost the record.
Result<bool> has_lost_record(const store::Store& store, uint64_t lineage) {
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    for (int look = 0; look < 2; ++look) {
        auto made = was_made(store, lineage);
        if (!made && made.error().code() == Code::not_found) return false;
        if (!TRY(std::move(made)) || TRY(sys::exists(store.disk(), directory + "/lineage")) ||
            TRY(sys::exists(store.disk(), dropped_marker(store.root(), lineage))))
            return false;
    }
    return true;
}

Result<bool> is_gone(const store::Store& store, uint64_t lineage) {
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    if (TRY(sys::exists(store.disk(), directory + "/lineage"))) return false;
    return !TRY(has_lost_record(store, lineage));
}

Result<std::vector<uint64_t>> unnamed_among(const store::Store& store,
                                            const std::vector<uint64_t>& lineages,
                                            const std::set<LineageId>& named) {
    std::vector<uint64_t> unnamed;
    for (uint64_t lineage : lineages) {
        if (lineage < kFirstProjectLineage || named.contains(lineage_text(lineage))) continue;
        // The mark is looked for first: it goes last.
        if (TRY(sys::exists(store.disk(), dropped_marker(store.root(), lineage)))) continue;
        auto made = was_made(store, lineage);
        if (!made && made.error().code() == Code::not_found) continue;
        if (TRY(std::move(made))) unnamed.push_back(lineage);
    }
    return unnamed;
}

}  // namespace tarn::compute
