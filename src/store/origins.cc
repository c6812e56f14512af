#include "store/origins.h"

#include <algorithm>
#include <vector>

#include "base/log.h"

namespace tarn::store {

namespace {

// Removed since the lineages were listed.
bool is_gone(const Store& store, uint64_t lineage) {
    auto there = store.lineages_and_lost();
    return there.ok() && std::find(there->begin(), there->end(), lineage) == there->end();
}

}  // namespace

void Origins::read(const Store& store, uint64_t lineage, Records& records) {
    auto look = [&]() -> Result<void> {
        if (!records.parent) records.parent = TRY(store.lineage(lineage)).parent;
        std::vector<uint32_t> numbers = TRY(store.incarnations(lineage));
        std::erase_if(records.bases, [&](const auto& each) {
            return !std::binary_search(numbers.begin(), numbers.end(), each.first);
        });
        for (uint32_t number : numbers)
            if (!records.bases.contains(number))
                records.bases[number] = TRY(store.incarnation({lineage, number})).base;
        return {};
    };
    records.failure.reset();
    auto looked = look();
    if (looked.ok()) return;
    records.failure = std::move(looked)
                          .error()
                          .context("history that it may name is kept")
                          .with_hint(fmt::format("bring that file back, or delete the branch whose "
                                                 "lineage is {:016x}",
                                                 lineage));
}

Result<void> Origins::look(const Store& store) {
    std::vector<uint64_t> there = TRY(store.lineages_and_lost());
    std::set<uint64_t> known(there.begin(), there.end());
    std::erase_if(lineages_, [&](const auto& each) { return !known.contains(each.first); });
    named_.clear();
    for (uint64_t lineage : there) {
        Records& records = lineages_[lineage];
        read(store, lineage, records);
        if (records.failure && is_gone(store, lineage)) {
            lineages_.erase(lineage);
            continue;
        }
        auto name = [&](const RestorePointId& id) {
            if (id.number != 0) named_[id.log.lineage][id].insert(lineage);
        };
        if (records.parent) name(*records.parent);
        for (const auto& [number, base] : records.bases) name(base);
    }
    return {};
}

Result<Origins::Named> Origins::named_of(uint64_t lineage) const {
    for (const auto& [other, records] : lineages_) {
        if (!records.failure) continue;
        if (may_descend(other, lineage)) return *records.failure;
        log::warn("store: lineage {:016x}, which does not descend from {:016x}: {}", other, lineage,
                  records.failure->text());
    }
    auto named = named_.find(lineage);
    return named == named_.end() ? Named{} : named->second;
}

// May records of `lineage` name history of `ancestor`? They name that of the lineages it descends
// from and its own. Whenever that cannot be told, they may.
bool Origins::may_descend(uint64_t lineage, uint64_t ancestor) const {
    std::set<uint64_t> seen;
    for (;;) {
        if (lineage == ancestor || !seen.insert(lineage).second) return true;
        auto records = lineages_.find(lineage);
        if (records == lineages_.end() || !records->second.parent) return true;
        if (records->second.parent->number == 0) return false;
        lineage = records->second.parent->log.lineage;
    }
}

}  // namespace tarn::store
