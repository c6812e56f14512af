// unnamed.h: storage that the metadata does not know, as when an older meta.db was copied back.
#pragma once

#include "control/core.h"

namespace tarn::control {

// Says in the log which lineages belong to no branch and no snapshot; they stay. When the server
// starts: nothing is being made or removed then.
Result<void> tell_unnamed(Core& core);

}  // namespace tarn::control
