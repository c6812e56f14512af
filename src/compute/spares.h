// spares.h: data directories full of stubs that nobody uses: made in advance as a new project has
// them, or left over from an endpoint that was removed. A start takes the one that is most like
// what it needs and makes it right (stub_tree.h).
//
// That saves the making of a thousand files, and the removal of a thousand: ext4 looks at every
// inode that was freed in the last minute before it gives out a new one, so that files made after
// many were removed cost ten times as much.
//
// A spare is taken by renaming it: whoever succeeds has it. None there: the start makes its own.
#pragma once

#include <string>

#include "base/result.h"
#include "store/lineage.h"

namespace tarn::compute {

// Moves the spare of that major whose number of files is nearest to `files` to `pgdata`, which must
// not exist. False if there is none.
bool take_spare(const std::string& spares, int major, size_t files, const std::string& pgdata);

// Makes `pgdata`, in which nothing may run any more, a spare. False if there are enough already, or
// it cannot be: it is still where it was then.
bool keep_as_spare(const std::string& spares, int major, const std::string& pgdata);

// Makes spares from the template's restore point until there are enough.
Result<void> fill_spares(const store::Store& store, const std::string& spares, int major);

}  // namespace tarn::compute
