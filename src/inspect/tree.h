// tree.h: a store as a tree: its lineages, what each consists of, and where the versions of one
// block lie. Works beside a running server and without one; takes no lock.
#pragma once

#include <map>
#include <string>

#include "inspect/views.h"
#include "store/lineage.h"

namespace tarn::inspect {

// Names of what the metadata says a lineage is, if it could be read.
using LineageNames = std::map<std::string, std::string>;

// One line for each lineage.
Result<Document> store_document(const store::Store& store, const LineageNames& names);
Result<Document> lineage_document(const store::Store& store, uint64_t lineage,
                                  const LineageNames& names);
// Every version of the block that a restore point shows, and those that none does yet.
Result<Document> block_document(const store::Store& store, uint64_t lineage,
                                const BlockName& block);

}  // namespace tarn::inspect
