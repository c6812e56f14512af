// page_file.h: byte-wise file operations over a file of the store.
//
// PostgreSQL moves whole pages nearly always; anything else (copies in 64 kB pieces are whole pages
// too) goes through a page-sized buffer. All answer >= 0 or -errno.
#pragma once

#include <sys/uio.h>

#include "shim/handles.h"

namespace tarn::shim {

int64_t read_pages(store::FileEntry* file, const iovec* parts, int count, int64_t offset);
// `stub` is the descriptor whose length follows the file's.
int64_t write_pages(store::FileEntry* file, int stub, const iovec* parts, int count,
                    int64_t offset);
int resize_pages(store::FileEntry* file, int stub, int64_t size);
// Grows without writing: the new blocks read as zeros.
int extend_pages(store::FileEntry* file, int stub, int64_t size);
int64_t size_of(const store::FileEntry* file);

}  // namespace tarn::shim
