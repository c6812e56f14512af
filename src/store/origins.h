// origins.h: which restore points the records of all lineages name, and whose records those are.
//
// A record never changes once it is there. So each is read once, and a later look only lists what
// has come and gone.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "base/result.h"
#include "store/lineage.h"
#include "store/restore_point.h"

namespace tarn::store {

class Origins {
  public:
    // Looks at the records. What cannot be read of one is tried again by the next look.
    Result<void> look(const Store& store);

    // The lineage's restore points that records name, with the lineages whose records they are;
    // its own may be among them. An error while a record cannot be read that may name some.
    using Named = std::map<RestorePointId, std::set<uint64_t>>;
    Result<Named> named_of(uint64_t lineage) const;

  private:
    struct Records {
        std::optional<RestorePointId> parent;  // nothing: its record cannot be read
        std::map<uint32_t, RestorePointId> bases;
        std::optional<Error> failure;
    };
    static void read(const Store& store, uint64_t lineage, Records& records);
    bool may_descend(uint64_t lineage, uint64_t ancestor) const;

    std::map<uint64_t, Records> lineages_;
    std::map<uint64_t, Named> named_;  // by the lineage whose restore points they are
};

}  // namespace tarn::store
