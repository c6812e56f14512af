#include "control/record_files.h"

#include "compute/layout.h"
#include "compute/template.h"
#include "meta/settings.h"
#include "sys/files.h"

namespace tarn::control {

namespace {

constexpr std::string_view kSuffix = ".record";
constexpr const char* kRecover =
    "run `tarn recover-metadata` with the same --data-dir: it makes the database of the records, "
    "and "
    "the server starts with that";

Result<meta::Record> read_record(const std::string& path, const meta::RecordName& name) {
    auto record = TRY(meta::decode_record(TRY(sys::read_file(sys::real_disk(), path))));
    if (record.name != name)
        return error(Code::data_loss, "it is the record of {}", record.name.text());
    return record;
}

}  // namespace

std::string records_directory(const std::string& data_directory) {
    return data_directory + "/records";
}

std::string record_path(const std::string& directory, const meta::RecordName& name) {
    return fmt::format("{}/{}{}", directory, name.text(), kSuffix);
}

Result<std::vector<meta::RecordName>> list_records(const std::string& directory) {
    std::vector<meta::RecordName> names;
    for (const std::string& file : TRY(sys::list_names_if_any(sys::real_disk(), directory))) {
        std::string_view text = file;
        if (!text.ends_with(kSuffix)) continue;
        text.remove_suffix(kSuffix.size());
        if (auto name = meta::parse_record_name(text)) names.push_back(std::move(*name));
    }
    return names;
}

Result<StoredRecords> read_records(const std::string& directory) {
    StoredRecords stored;
    for (const meta::RecordName& name : TRY(list_records(directory))) {
        std::string path = record_path(directory, name);
        auto record = read_record(path, name);
        if (record)
            stored.whole.push_back(std::move(*record));
        else
            stored.damaged.push_back({path, std::move(record).error()});
    }
    return stored;
}

namespace {

Result<bool> has_branches(const std::string& store_root) {
    for (const std::string& name :
         TRY(sys::list_names_if_any(sys::real_disk(), store_root + "/lineages"))) {
        auto lineage = compute::parse_lineage_id(name);
        if (lineage && *lineage >= compute::kFirstProjectLineage) return true;
    }
    return false;
}

}  // namespace

Result<void> check_records(meta::Meta& meta, const std::string& directory,
                           const std::string& store_root) {
    bool unused = TRY(meta.read(meta::is_unused));
    if (TRY(list_records(directory)).empty()) {
        if (!unused || !TRY(has_branches(store_root))) return {};
        return error(Code::bad_request,
                     "the metadata database is new, but there are branches in {}, and no records "
                     "of them in {}",
                     store_root, directory)
            .with_hint(
                "bring back meta.db, or the records, from a copy; or `tarn recover-metadata "
                "--attach-unnamed` with the same --data-dir gives the branches names");
    }
    if (unused)
        return error(Code::bad_request,
                     "the metadata database is empty, and there are records of one in {}",
                     directory)
            .with_hint(kRecover);
    auto workspace = TRY(meta.read(
        [](meta::Session& session) { return meta::get_setting(session, meta::kWorkspaceId); }));
    auto server = read_record(record_path(directory, {}), {});
    if (!server || !workspace) return {};  // damaged, or lost: it is written anew
    auto recorded = meta::setting_in(*server, meta::kWorkspaceId);
    if (!recorded || recorded == workspace) return {};
    return error(Code::bad_request,
                 "the records in {} are of workspace {}, the metadata database is of workspace {}",
                 directory, *recorded, *workspace)
        .with_hint(kRecover);
}

}  // namespace tarn::control
