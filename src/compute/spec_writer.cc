#include "compute/spec_writer.h"

#include "compute/files.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

std::string spec_path(const std::string& directory) {
    return directory + "/spec.json";
}

}  // namespace

Result<SuperviseSpec> SpecWriter::make(const ComputeSpec& spec, uint64_t lineage) const {
    auto install = installs_.find(spec.pg_major);
    if (install == installs_.end()) return not_installed(spec.pg_major);
    SuperviseSpec supervised;
    supervised.endpoint_uid = spec.endpoint_uid;
    supervised.lineage = lineage;
    supervised.pg_major = spec.pg_major;
    supervised.max_cu = spec.max_cu;
    supervised.pg_settings = spec.pg_settings;
    supervised.store_root = layout_.store_root();
    supervised.directory = layout_.endpoint(spec.endpoint_uid);
    supervised.run_directory = layout_.run_directory(spec.endpoint_uid);
    supervised.spares = layout_.spares();
    supervised.bin_directory = install->second.bin;
    supervised.shim = options_.shim;
    supervised.shared_buffers = options_.shared_buffers;
    supervised.disk = options_.disk;
    supervised.compaction_calm = options_.compaction_calm;
    return supervised;
}

Result<std::string> SpecWriter::write(const ComputeSpec& spec, uint64_t lineage) const {
    auto supervised = TRY(make(spec, lineage));
    ActAs acting(user_);
    TRY(make_directories(supervised.directory));
    TRY(make_directories(supervised.log_directory()));
    TRY(make_run_directory(supervised.run_directory, user_.uid));
    auto path = spec_path(supervised.directory);
    TRY(sys::write_scratch(sys::real_disk(), path, encode(supervised)));
    return path;
}

Result<SuperviseSpec> SpecWriter::read(const std::string& endpoint_uid) const {
    return decode_spec(
        TRY(sys::read_file(sys::real_disk(), spec_path(layout_.endpoint(endpoint_uid)))));
}

}  // namespace tarn::compute
