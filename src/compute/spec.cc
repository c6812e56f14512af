#include "compute/spec.h"

#include <nlohmann/json.hpp>

#include "compute/layout.h"

namespace tarn::compute {

using nlohmann::json;

std::string encode(const SuperviseSpec& spec) {
    json object{{"endpoint_uid", spec.endpoint_uid},
                {"lineage", lineage_text(spec.lineage)},
                {"pg_major", spec.pg_major},
                {"max_cu", spec.max_cu},
                {"pg_settings", spec.pg_settings},
                {"store_root", spec.store_root},
                {"directory", spec.directory},
                {"run_directory", spec.run_directory},
                {"spares", spec.spares},
                {"bin_directory", spec.bin_directory},
                {"shim", spec.shim},
                {"shared_buffers", spec.shared_buffers},
                {"compaction_calm_ms", spec.compaction_calm.count()}};
    if (spec.disk.low) object["disk_low"] = *spec.disk.low;
    if (spec.disk.critical) object["disk_critical"] = *spec.disk.critical;
    return object.dump(2) + "\n";
}

Result<SuperviseSpec> decode_spec(const std::string& text) {
    try {
        auto object = json::parse(text);
        SuperviseSpec spec;
        spec.endpoint_uid = object.at("endpoint_uid").get<std::string>();
        spec.lineage = TRY(parse_lineage_id(object.at("lineage").get<std::string>()));
        spec.pg_major = object.at("pg_major").get<int>();
        spec.max_cu = object.at("max_cu").get<double>();
        spec.pg_settings = object.at("pg_settings").get<std::map<std::string, std::string>>();
        spec.store_root = object.at("store_root").get<std::string>();
        spec.directory = object.at("directory").get<std::string>();
        spec.run_directory = object.at("run_directory").get<std::string>();
        spec.spares = object.at("spares").get<std::string>();
        spec.bin_directory = object.at("bin_directory").get<std::string>();
        spec.shim = object.at("shim").get<std::string>();
        spec.shared_buffers = object.at("shared_buffers").get<std::string>();
        // An earlier server's have none of these.
        if (object.contains("disk_low")) spec.disk.low = object["disk_low"].get<uint64_t>();
        if (object.contains("disk_critical"))
            spec.disk.critical = object["disk_critical"].get<uint64_t>();
        if (object.contains("compaction_calm_ms"))
            spec.compaction_calm =
                std::chrono::milliseconds(object["compaction_calm_ms"].get<int64_t>());
        return spec;
    } catch (const json::exception& failure) {
        return error(Code::malformed, "the compute's specification cannot be read: {}",
                     failure.what());
    }
}

}  // namespace tarn::compute
