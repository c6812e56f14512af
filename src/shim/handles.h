// handles.h: what each open descriptor of this process stands for.
#pragma once

#include <cstdint>

#include "store/page_map.h"

namespace tarn::shim {

enum class HandleKind : uint8_t {
    native,   // the kernel's own business, syncs included
    scratch,  // inside PGDATA, remade from a restore point: its syncs are not needed
    pages,    // a relation or SLRU file: contents in the store, the descriptor is its empty stub
    control,  // pg_control: contents in the map
    wal,      // a WAL segment
    new_wal,  // a WAL segment that recovery is making
};

struct Handle {
    HandleKind kind = HandleKind::native;
    uint32_t tli = 0;                  // wal
    uint64_t base = 0;                 // wal: LSN of its first byte
    store::FileEntry* file = nullptr;  // pages
    int64_t position = 0;              // pages, control: of read() and write()
};

constexpr int kMaxDescriptors = 65536;  // beyond it PostgreSQL's own limits have long been met

// The handle of a descriptor; never null. Descriptors out of range are native.
Handle* handle_of(int fd);

}  // namespace tarn::shim
