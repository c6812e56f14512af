// spec.h: what a supervisor is told, as a JSON file in the endpoint's directory. A later server
// reads it to learn which lineage an endpoint it finds belongs to.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "base/result.h"
#include "compute/disk_space.h"
#include "compute/layout.h"

namespace tarn::compute {

struct SuperviseSpec {
    std::string endpoint_uid;
    uint64_t lineage = 0;
    int pg_major = 0;
    double max_cu = 1;
    std::map<std::string, std::string> pg_settings;
    std::string store_root;
    std::string directory;      // the endpoint's
    std::string run_directory;  // for sockets
    std::string spares;         // data directories made in advance
    std::string bin_directory;  // of PostgreSQL
    std::string shim;           // the page shim's library
    std::string shared_buffers = "256MB";
    DiskLimits disk;
    std::chrono::milliseconds compaction_calm{0};  // see Compactor::begin()

    std::string pgdata() const { return directory + "/pgdata"; }
    std::string stubs_marker() const { return directory + "/stubs"; }
    std::string read_only_conf() const { return directory + "/read_only.conf"; }
    std::string log_directory() const { return directory + "/log"; }
    std::string control_socket() const { return control_socket_in(run_directory); }
};

std::string encode(const SuperviseSpec& spec);
Result<SuperviseSpec> decode_spec(const std::string& text);

}  // namespace tarn::compute
