// serve.h: `tarn serve`: one process with API, control plane and front door.
#pragma once

#include "main/serve_options.h"

namespace tarn {

// Runs until SIGTERM or SIGINT. Computes go on running; the next server adopts them.
Result<void> serve(const ServeOptions& options);

}  // namespace tarn
