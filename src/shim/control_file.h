// control_file.h: pg_control, whose contents live in the map; writing a new checkpoint into it is
// the seal.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shim/handles.h"

namespace tarn::shim {

int64_t read_control(Handle* handle, void* data, size_t size, int64_t offset);
// The whole image in one piece, as PostgreSQL writes it.
int64_t write_control(Handle* handle, const void* data, size_t size, int64_t offset);

}  // namespace tarn::shim
