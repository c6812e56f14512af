#include "compute/lost_records.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/opening.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

// What a compute makes after the incarnation's record: its first start, and what it has sealed.
Result<bool> has_run(const store::Store& store, store::LogId log) {
    if (!TRY(store.restore_points(log)).empty()) return true;
    return sys::exists(store.disk(),
                       incarnation_path(store, log) + "/" + store::kWalArchiveDirectory);
}

}  // namespace

Result<std::vector<uint32_t>> incarnations_without_record(const store::Store& store,
                                                          uint64_t lineage,
                                                          const std::vector<uint32_t>& known) {
    std::vector<uint32_t> found;
    std::string directory = store::lineage_directory(store.root().c_str(), lineage).text;
    for (const std::string& name : TRY(sys::list_names(store.disk(), directory))) {
        uint32_t number = 0;
        auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), number);
        bool is_number =
            name.size() == 8 && failure == std::errc() && end == name.data() + name.size();
        if (!is_number || std::binary_search(known.begin(), known.end(), number)) continue;
        // The record comes first: looked for last, it is not one that has come since.
        if (TRY(has_run(store, {lineage, number})) &&
            !TRY(sys::exists(store.disk(),
                             incarnation_path(store, {lineage, number}) + "/incarnation")))
            found.push_back(number);
    }
    return found;
}

Result<bool> was_made(const store::Store& store, uint64_t lineage) {
    auto known = TRY(store.incarnations(lineage));
    for (uint32_t number : known) {
        auto record = store.incarnation({lineage, number});
        if (!record || record->base.number != 0 || TRY(has_run(store, {lineage, number})))
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

}  // namespace tarn::compute
