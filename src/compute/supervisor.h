// supervisor.h: the process that owns one running compute: `tarn supervise <spec file>`.
//
// It outlives the server that started it. It takes the lineage's lock, opens the lineage, starts
// PostgreSQL with the page shim, has it promoted where it recovers, makes a restore point of every
// seal, stops it on request, and ends when PostgreSQL has ended. docs/internals/compute.md draws
// the states.
//
// Exit status: 0 stopped cleanly, 1 failed to start, 2 PostgreSQL ended without being asked to.
#pragma once

#include <string>

namespace tarn::compute {

// `control` is an open connection to the server that asks, or -1.
int supervise(const std::string& spec_file, int control);

// The descriptor at which the manager passes that connection.
constexpr int kControlDescriptor = 3;

}  // namespace tarn::compute
