#include "compute/verify_store.h"

#include <algorithm>

#include "compute/fence.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/verify_lineage.h"
#include "store/paths.h"

namespace tarn::compute {

namespace {

class StoreCheck {
  public:
    StoreCheck(const store::Store& store, const VerifyRequest& request)
        : store_(store), request_(request), verifier_(store.disk(), store.root()) {}

    Result<StoreFindings> run() {
        auto there = TRY(lineages_to_verify(store_));
        for (uint64_t wanted : request_.lineages)
            if (std::find(there.begin(), there.end(), wanted) == there.end())
                return error(Code::not_found, "there is no lineage {} in {}", lineage_text(wanted),
                             store_.root())
                    .with_hint("`tarn inspect` lists those that are there");
        bool all = request_.lineages.empty();
        if (!all) there = request_.lineages;
        now_.lineages = there.size();
        verifier_.on_progress([this]() -> Result<void> {
            tell();
            return {};
        });
        for (uint64_t lineage : there) {
            ++now_.lineage;
            tell();
            verify(lineage);
        }
        if (all && found_.unchecked.empty()) {
            auto looked = find_orphans(there);
            if (!looked) found_.unchecked.push_back({std::nullopt, std::move(looked).error()});
        }
        found_.counts = verifier_.counts();
        return std::move(found_);
    }

  private:
    void tell() {
        now_.counts = verifier_.counts();
        if (request_.progress) request_.progress(now_);
    }

    void verify(uint64_t lineage) {
        auto findings = verify_lineage(store_, verifier_, lineage);
        if (!findings)
            found_.unchecked.push_back({lineage, std::move(findings).error()});
        else if (*findings)
            found_.lineages.push_back(std::move(**findings));
    }

    // After all lineages: an index of one may be named by restore points of another.
    Result<void> find_orphans(const std::vector<uint64_t>& lineages) {
        found_.orphans = TRY(store::orphans_of_store(store_));
        // One that has lost its record is damaged, and no orphan.
        std::erase_if(found_.orphans, [&](const store::Orphan& orphan) {
            return std::any_of(
                found_.lineages.begin(), found_.lineages.end(), [&](const auto& each) {
                    return orphan.path ==
                           store::lineage_directory(store_.root().c_str(), each.lineage).text;
                });
        });
        for (uint64_t lineage : lineages) {
            auto held = hold_history(store_, lineage);
            auto findings = std::find_if(found_.lineages.begin(), found_.lineages.end(),
                                         [&](const auto& each) { return each.lineage == lineage; });
            // Removed meanwhile; and what a damaged record names is not known.
            if (findings == found_.lineages.end() || findings->damage_count > 0) continue;
            bool runs = is_held(lineage_lock_path(store_.root(), lineage));
            auto orphans = store::orphans_of_lineage(
                store_, lineage, runs,
                [&](const store::IndexRef& ref) { return verifier_.knows(ref); });
            if (!orphans && orphans.error().code() == Code::not_found) continue;
            for (store::Orphan& each : TRY(std::move(orphans)))
                found_.orphans.push_back(std::move(each));
        }
        for (const store::DamagedSlot* slot : verifier_.unshown()) {
            const store::SlotClaim& claim = slot->claim;
            found_.orphans.push_back(
                {store::place_of(store_.disk(), store_.root().c_str(), claim.log, claim.slot).path,
                 slot->why.message() + ", and no restore point shows it", store::kBlockBytes});
        }
        return {};
    }

    const store::Store& store_;
    const VerifyRequest& request_;
    store::Verifier verifier_;
    VerifyProgress now_;
    StoreFindings found_;
};

}  // namespace

uint64_t StoreFindings::damage_count() const {
    uint64_t count = 0;
    for (const LineageFindings& each : lineages) count += each.damage_count;
    return count;
}

Result<StoreFindings> verify_store(const store::Store& store, const VerifyRequest& request) {
    return StoreCheck(store, request).run();
}

}  // namespace tarn::compute
