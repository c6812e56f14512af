// set_aside.h: times that are not a lineage's past, though its beginning lies before them: it took
// another's place, which was something else then (docs/internals/history.md).
//
// Crash: the file is renamed into place; it is there whole, or not.
#pragma once

#include <optional>

#include "base/time.h"
#include "store/lineage.h"

namespace tarn::compute {

// Both ends are its past.
struct SetAside {
    Time from;
    Time until;
};

// Nothing for a lineage that never took another's place.
Result<std::optional<SetAside>> set_aside_of(const store::Store& store, uint64_t lineage);
Result<void> write_set_aside(const store::Store& store, uint64_t lineage, const SetAside& times);

}  // namespace tarn::compute
