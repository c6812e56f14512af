#include "store/orphans.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/number.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr const char* kUnknown = "no file of the store has such a name";
constexpr const char* kUnfinished = "a file whose writing was cut short";

// The number in front of `suffix`, of exactly so many digits; nullopt for any other name.
std::optional<uint64_t> number_in(std::string_view name, std::string_view suffix, size_t digits,
                                  int base) {
    if (name.size() != digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
    name.remove_suffix(suffix.size());
    return parse_number<uint64_t>(name, base);
}

constexpr size_t kLineageDigits = 16, kDigits = 8;

template <size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

class Search {
  public:
    Search(const Store& store, uint64_t lineage, bool runs,
           const std::function<bool(const IndexRef&)>& is_named)
        : store_(store), lineage_(lineage), runs_(runs), is_named_(is_named) {}

    Result<std::vector<Orphan>> run() {
        std::string directory = lineage_directory(store_.root().c_str(), lineage_).text;
        auto finished = TRY(store_.incarnations(lineage_));
        uint32_t newest = finished.empty() ? 0 : finished.back();
        for (const std::string& name : TRY(sys::list_names(store_.disk(), directory))) {
            std::string path = directory + "/" + name;
            auto number = number_in(name, "", kDigits, 10);
            bool counts = number && std::binary_search(finished.begin(), finished.end(), *number);
            if (counts) {
                auto incarnation = static_cast<uint32_t>(*number);
                TRY(look_through({lineage_, incarnation}, incarnation == newest));
            } else if (number) {
                if (!runs_ || *number < newest)
                    add(path, "an incarnation that was not finished, or is being made");
            } else if (!is_one_of(kOfLineage, name)) {
                add_unknown(path);
            }
        }
        return std::move(found_);
    }

  private:
    static constexpr std::array<std::string_view, 6> kOfLineage{
        "lineage", "lock", "history.lock", "packing.lock", "kept_from", "set_aside"};
    static constexpr std::array<std::string_view, 6> kOfIncarnation{
        "incarnation", "map", "clean", "wal_durable", kWalDirectory, kWalArchiveDirectory};

    // The names first, then the restore points: what is named by a new one was there before it.
    Result<void> look_through(LogId log, bool is_newest) {
        std::string directory = incarnation_directory(store_.root().c_str(), log).text;
        auto names = TRY(sys::list_names(store_.disk(), directory));
        auto points = TRY(store_.restore_points(log));
        for (const std::string& name : names) {
            std::string path = directory + "/" + name;
            bool known = segment_in(name) || number_in(name, ".restore", kDigits, 10) ||
                         is_one_of(kOfIncarnation, name);
            auto index = number_in(name, ".index", kDigits, 10);
            if (!known && !index) add_unknown(path);
            if (!index) continue;
            // One above the newest restore point is the work of the compute that is sealing.
            bool in_the_making = runs_ && is_newest && (points.empty() || *index > points.back());
            auto number = static_cast<uint32_t>(*index);
            IndexRef ref{lineage_, log.incarnation, number};
            if (!in_the_making && !is_named_(ref) && !TRY(is_named_since(ref, points)))
                add(path, "an index that no restore point names");
        }
        return {};
    }

    // By a restore point that has come since `is_named_` was filled?
    Result<bool> is_named_since(const IndexRef& ref, const std::vector<uint32_t>& points) const {
        for (uint32_t number : points) {
            if (number < ref.number) continue;
            auto point = TRY(store_.restore_point({{lineage_, ref.incarnation}, number}));
            for (const IndexRef& each : point.indexes)
                if (each.lineage == ref.lineage && each.incarnation == ref.incarnation &&
                    each.number == ref.number)
                    return true;
        }
        return false;
    }

    void add_unknown(const std::string& path) {
        if (!path.ends_with(sys::kUnfinishedSuffix))
            add(path, kUnknown);
        else if (!runs_)
            add(path, kUnfinished);
    }
    void add(const std::string& path, const char* why) {
        found_.push_back({path, why, bytes_below(store_.disk(), path)});
    }

    const Store& store_;
    uint64_t lineage_;
    bool runs_;
    const std::function<bool(const IndexRef&)>& is_named_;
    std::vector<Orphan> found_;
};

}  // namespace

uint64_t bytes_below(sys::Disk& disk, const std::string& path) {
    if (auto names = sys::list_names(disk, path)) {
        uint64_t bytes = 0;
        for (const std::string& name : *names) bytes += bytes_below(disk, path + "/" + name);
        return bytes;
    }
    auto file = sys::File::open(disk, path, O_RDONLY);
    auto size = file ? file->size() : file.error();
    return size ? *size : 0;
}

Result<std::vector<Orphan>> orphans_of_store(const Store& store) {
    std::vector<Orphan> found;
    auto add = [&](const std::string& path, const std::string& why) {
        found.push_back({path, why, bytes_below(store.disk(), path)});
    };
    constexpr std::string_view kDropped = "dropped-";
    for (const std::string& name : TRY(sys::list_names(store.disk(), store.root()))) {
        std::string path = store.root() + "/" + name;
        if (name == "lineages") continue;
        bool marks = name.starts_with(kDropped);
        auto lineage = number_in(marks ? std::string_view(name).substr(kDropped.size()) : "", "",
                                 kLineageDigits, 16);
        std::string directory =
            lineage ? lineage_directory(store.root().c_str(), *lineage).text : "";
        if (lineage && TRY(sys::exists(store.disk(), directory + "/lineage"))) continue;
        add(path, lineage ? "the mark of a dropped lineage that is gone"
                  : name.ends_with(sys::kUnfinishedSuffix) ? kUnfinished
                                                           : kUnknown);
    }
    std::string lineages = store.root() + "/lineages";
    for (const std::string& name : TRY(sys::list_names(store.disk(), lineages))) {
        std::string path = lineages + "/" + name;
        if (!number_in(name, "", kLineageDigits, 16))
            add(path, kUnknown);
        else if (!TRY(sys::exists(store.disk(), path + "/lineage")))
            add(path,
                "a lineage without a record: its making or its removal was cut short, or is "
                "under way");
    }
    return found;
}

Result<std::vector<Orphan>> orphans_of_lineage(
    const Store& store, uint64_t lineage, bool runs,
    const std::function<bool(const IndexRef&)>& is_named) {
    return Search(store, lineage, runs, is_named).run();
}

}  // namespace tarn::store
