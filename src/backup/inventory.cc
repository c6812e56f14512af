#include "backup/inventory.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "backup/lineage_files.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/lost_records.h"
#include "compute/template.h"
#include "meta/copy.h"
#include "meta/settings.h"
#include "sys/clock.h"
#include "sys/files.h"

namespace tarn::backup {

namespace {

// Of the data directory itself; all others are locks, scratch, or the store's.
constexpr const char* kTopFiles[] = {"ca.crt", "ca.key"};
constexpr const char* kRecover = "run `tarn recover-metadata` first";

Result<std::optional<FileToSave>> top_file(const std::string& data_directory,
                                           const std::string& name) {
    std::string source = data_directory + "/" + name;
    struct stat status {};
    if (::stat(source.c_str(), &status) != 0) {
        if (errno == ENOENT) return std::optional<FileToSave>();
        return errno_error(errno, "look at " + source);
    }
    auto bytes = static_cast<uint64_t>(status.st_size);
    return std::optional(FileToSave{name, {source}, bytes, bytes, status.st_mode & 0777u});
}

class Taking {
  public:
    Taking(const std::string& data_directory, const std::string& scratch,
           const compute::ComputeUser& owner)
        : data_directory_(data_directory), scratch_(scratch), owner_(owner) {}

    Result<Inventory> run() {
        std::string root = compute::Layout(data_directory_).store_root();
        auto store = TRY(store::Store::open(sys::real_disk(), root));
        // In this order: what the metadata names is there by then, and is held before it is looked
        // at. What has come since it names nobody.
        TRY(hold_all(store));
        TRY(copy_metadata());
        TRY(hold_all(store));
        TRY(list_dropped(root));
        TRY(tell_lost(store));
        LineageFiles files(store, data_directory_);
        for (uint64_t lineage : held_) TRY(files.read_points(lineage));
        for (uint64_t lineage : held_) TRY(files.list(lineage, inventory_));
        return std::move(inventory_);
    }

  private:
    Result<void> hold_all(const store::Store& store) {
        compute::ActAs acting(owner_);  // a lock that is missing is made
        for (uint64_t lineage : TRY(store.lineages())) {
            if (held_.contains(lineage)) continue;
            auto held = compute::hold_history(store, lineage);
            if (!held && held.error().code() == Code::not_found) continue;  // dropped meanwhile
            inventory_.held.push_back(TRY(std::move(held)));
            inventory_.held.push_back(TRY(compute::hold_packing(store, lineage)));
            held_.insert(lineage);
        }
        return {};
    }

    // Without its record nobody can say what a lineage holds: it is not in the backup.
    Result<void> tell_lost(const store::Store& store) {
        for (uint64_t lineage : TRY(store.lineages_and_lost()))
            if (!held_.contains(lineage) && TRY(compute::has_lost_record(store, lineage)))
                inventory_.problems.push_back(fmt::format(
                    "the record of lineage {} is gone, and nothing of it is in the backup",
                    compute::lineage_text(lineage)));
        return {};
    }

    Result<void> copy_metadata() {
        inventory_.taken = sys::real_clock().now();
        std::string copy = scratch_ + "/meta.db", source = data_directory_ + "/meta.db";
        if (!TRY(sys::exists(sys::real_disk(), source)))
            return error(Code::bad_request, "there is no metadata database {}", source)
                .with_hint(kRecover);
        TRY(meta::copy_database(source, copy));
        auto meta = TRY(meta::Meta::open_reading(copy));
        bool has_branches = !held_.empty() && *held_.rbegin() >= compute::kFirstProjectLineage;
        if (has_branches && TRY(meta->read(meta::is_unused)))
            return error(Code::bad_request,
                         "the metadata database {} is new, and knows none of the branches", source)
                .with_hint(kRecover);
        auto named = TRY(meta->read([](meta::Session& s) { return meta::named_lineages(s); }));
        named_.insert(named.begin(), named.end());
        if (auto file = TRY(top_file(scratch_, "meta.db")))
            inventory_.files.push_back(std::move(*file));
        for (const std::string& name :
             TRY(sys::list_names_if_any(sys::real_disk(), data_directory_ + "/records")))
            if (name.ends_with(".record"))
                if (auto file = TRY(top_file(data_directory_, "records/" + name)))
                    inventory_.files.push_back(std::move(*file));
        for (const char* name : kTopFiles)
            if (auto file = TRY(top_file(data_directory_, name)))
                inventory_.files.push_back(std::move(*file));
        return {};
    }

    // A mark of what the copied metadata still names came later: that is a branch.
    Result<void> list_dropped(const std::string& root) {
        for (uint64_t lineage : held_) {
            std::string mark = compute::dropped_marker(root, lineage);
            if (named_.contains(compute::lineage_text(lineage)) ||
                !TRY(sys::exists(sys::real_disk(), mark)))
                continue;
            FileToSave file;
            file.path = mark.substr(data_directory_.size() + 1);
            file.contents = "";
            inventory_.files.push_back(std::move(file));
        }
        return {};
    }

    const std::string& data_directory_;
    const std::string& scratch_;
    const compute::ComputeUser& owner_;
    Inventory inventory_;
    std::set<uint64_t> held_;
    std::set<std::string> named_;
};

}  // namespace

Result<Inventory> take_inventory(const std::string& data_directory, const std::string& scratch,
                                 const compute::ComputeUser& owner) {
    return Taking(data_directory, scratch, owner).run();
}

}  // namespace tarn::backup
