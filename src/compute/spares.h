// spares.h: data directories made in advance, full of stubs as a new project has them. A first
// start takes one and makes it right, which saves the making of a thousand files (stub_tree.h).
//
// A spare is taken by renaming it: whoever succeeds has it. None there: the start makes its own.
#pragma once

#include <string>

#include "base/result.h"
#include "store/lineage.h"

namespace tarn::compute {

// Moves a spare of that major to `pgdata`, which must not exist. False if there is none.
bool take_spare(const std::string& spares, int major, const std::string& pgdata);

// Makes spares from the template's restore point until there are enough.
Result<void> fill_spares(const store::Store& store, const std::string& spares, int major);

}  // namespace tarn::compute
