// verify.h: reads everything that a restore point rests on, and trusts none of it.
//
// It shares no code with the read path of PageLog but the index look-up: what both call good is
// good.
#pragma once

#include <functional>

#include "base/result.h"
#include "store/restore_point.h"

namespace tarn::store {

struct Verified {
    uint64_t blocks = 0;  // of all files
    uint64_t pages = 0;   // of them not zeros
};

// Called for each block of each file; `page` has kBlockBytes bytes, null for zeros.
using BlockVisitor = std::function<void(const FileRecord& file, uint32_t block, const void* page)>;

// Loads every index of `point` whole, and for every block below its file's length the slot's header
// and page. data_loss, naming the slot, at the first that is not what the index says.
Result<Verified> verify(sys::Disk& disk, const char* root, const RestorePoint& point,
                        const BlockVisitor& visit = {});

}  // namespace tarn::store
