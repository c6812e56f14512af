// metadata_recovery.h: makes a metadata database of its records and of what lies in the store
// (docs/operate/recover.md). The server does not run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/addresses.h"
#include "control/environment.h"
#include "control/record_files.h"
#include "meta/meta.h"
#include "store/lineage.h"

namespace tarn::control {

struct RecoveryRequest {
    bool attach = false;     // make branches of lineages that no record names
    std::string owner;       // of projects made for them
    AddressBlock addresses;  // and where their endpoints are to be
};

// A lineage that no record names, and that nobody dropped.
struct UnnamedLineage {
    std::string lineage;
    int pg_major = 0;     // 0: its record cannot be read
    std::string newest;   // when its newest restore point was taken; "" if there is none
    std::string project;  // whose cluster it is of; "" if none of them
    std::string branch;   // made of it, if that was asked for
};

struct Recovered {
    int64_t projects = 0, branches = 0, endpoints = 0, roles = 0, databases = 0;
    int64_t snapshots = 0, schedules = 0, users = 0, tokens = 0, operations = 0;
    std::vector<std::string> lost;   // what could not be recovered, and why
    std::vector<std::string> notes;  // what is not quite as it was
    std::vector<UnnamedLineage> unnamed;
};

// Into an empty database. An error only if it could not be written, or the store not be listed.
Result<Recovered> recover_metadata(meta::Meta& meta, const StoredRecords& records,
                                   const store::Store& store, const RecoveryRequest& request,
                                   const Environment& environment);

}  // namespace tarn::control
