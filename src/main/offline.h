// offline.h: what commands share that work on a server's files, whether it runs or not.
#pragma once

#include <string>

#include "base/result.h"
#include "compute/user.h"
#include "store/lineage.h"

namespace tarn {

// An error on the command line: one line, what to do next on another. Answers the exit status.
int report(const Error& failure);

// Root reads as the owner of the store: what is made on the way, and be it a lock, is the owner's.
Result<compute::ComputeUser> owner_of(const std::string& store_root);

// Unlike Store::open() it makes none. Called as the owner.
Result<store::Store> open_existing_store(const std::string& store_root);

}  // namespace tarn
