// origin.h: what the storage of something new is made from, as its row says: a branch, now or at a
// moment, or a snapshot.
#pragma once

#include <optional>
#include <string>

#include "compute/computes.h"
#include "control/lookup.h"

namespace tarn::control {

struct Origin {
    compute::LineageId lineage;
    std::string name;
    std::string writer_uid;  // the endpoint that may be writing to it; "" if none can
    compute::Moment moment;
};

// Of a branch or of what replaces one. not_found if what it is to be made from is gone,
// bad_request if that could not be made itself.
Result<Origin> origin_of(meta::Session& session, const meta::BranchRow& row);
// A branch at a position where a past moment was found to lie, or as it is now.
Result<Origin> origin_at(meta::Session& session, const std::string& branch_uid,
                         const std::string& branch_name, std::optional<Lsn> lsn);

}  // namespace tarn::control
