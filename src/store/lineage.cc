#include "store/lineage.h"

#include <algorithm>
#include <span>

#include "base/log.h"
#include "base/number.h"
#include "store/lineage_record.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

using sys::SyncSite;

constexpr size_t kRootBytesMax = 400;

std::string lineages_directory(const std::string& root) {
    return root + "/lineages";
}

std::string lineage_record_path(const std::string& root, uint64_t lineage) {
    return std::string(lineage_directory(root.c_str(), lineage)) + "/lineage";
}

std::string incarnation_record_path(const std::string& root, LogId log) {
    return std::string(incarnation_directory(root.c_str(), log)) + "/incarnation";
}

// The number that is all of `text`; nullopt for anything else, such as a leftover of a crash.
template <class T>
std::optional<T> parse(std::string_view text, int base, size_t digits_min) {
    if (text.size() < digits_min) return std::nullopt;
    return parse_number<T>(text, base);
}

}  // namespace

Result<Store> Store::open(sys::Disk& disk, std::string root) {
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    if (root.empty() || root[0] != '/' || root.size() >= kRootBytesMax)
        return error(Code::invalid_argument,
                     "open store: '{}' is not an absolute path below {} "
                     "bytes",
                     root, kRootBytesMax);
    std::string lineages = lineages_directory(root);
    TRY_CTX(sys::make_directories(disk, lineages, SyncSite::lineage_directory), "open store");
    // An earlier process may have made it and died before its name was durable.
    TRY_CTX(sys::sync_directory(disk, root, SyncSite::lineage_directory), "open store");
    return Store(disk, std::move(root));
}

Result<std::vector<uint64_t>> Store::lineages() const {
    std::vector<uint64_t> found;
    for (const std::string& name : TRY(sys::list_names(*disk_, lineages_directory(root_)))) {
        auto lineage = parse<uint64_t>(name, 16, 16);
        if (lineage && TRY(sys::exists(*disk_, lineage_record_path(root_, *lineage))))
            found.push_back(*lineage);
    }
    return found;
}

// A making writes the lineage's record first.
Result<std::vector<uint64_t>> Store::lineages_and_lost() const {
    std::vector<uint64_t> found;
    for (const std::string& name : TRY(sys::list_names(*disk_, lineages_directory(root_)))) {
        auto lineage = parse<uint64_t>(name, 16, 16);
        if (!lineage) continue;
        if (TRY(sys::exists(*disk_, lineage_record_path(root_, *lineage))) ||
            TRY(has_lives(*lineage)))
            found.push_back(*lineage);
    }
    return found;
}

// Incarnations with a record, or that have run. None where there is no such directory.
Result<bool> Store::has_lives(uint64_t lineage) const {
    for (const std::string& name :
         TRY(sys::list_names_if_any(*disk_, lineage_directory(root_.c_str(), lineage).text))) {
        auto number = parse<uint32_t>(name, 10, 8);
        if (!number) continue;
        LogId log{lineage, *number};
        if (TRY(sys::exists(*disk_, incarnation_record_path(root_, log)))) return true;
        auto run = has_run(log);
        if (!run && run.error().code() == Code::not_found) continue;  // removed meanwhile
        if (TRY(std::move(run))) return true;
    }
    return false;
}

Result<LineageRecord> Store::lineage(uint64_t lineage) const {
    std::string path = lineage_record_path(root_, lineage);
    std::string bytes = TRY_CTX(sys::read_file(*disk_, path), "read lineage {:016x}", lineage);
    LineageRecord record = TRY_CTX(decode_lineage(bytes), "read lineage from {}", path);
    if (record.lineage != lineage)
        return error(Code::data_loss, "read lineage from {}: it names itself {:016x}", path,
                     record.lineage);
    return record;
}

Result<void> Store::create_lineage(const LineageRecord& record) {
    std::string path = lineage_record_path(root_, record.lineage);
    if (TRY(sys::exists(*disk_, path)))
        return error(Code::already_exists, "create lineage {:016x}: it exists", record.lineage);
    std::string directory = lineage_directory(root_.c_str(), record.lineage).text;
    // A directory without a record is what an earlier attempt has left, with a name that may not be
    // durable and that no sync need make so any more: a new one, with a new name.
    TRY_CTX(sys::remove_tree(*disk_, directory), "create lineage {:016x}", record.lineage);
    int made = disk_->make_directory(directory.c_str(), 0700);
    if (made < 0)
        return errno_error(-made, fmt::format("create lineage: make directory {}", directory));
    // The directory's own name first: a record below a name that a crash takes back is no record.
    TRY_CTX(sys::sync_directory(*disk_, lineages_directory(root_), SyncSite::lineage_directory),
            "create lineage {:016x}", record.lineage);
    TRY_CTX(sys::create_durably(*disk_, path, encode(record), SyncSite::lineage_data,
                                SyncSite::lineage_directory),
            "create lineage {:016x}", record.lineage);
    return {};
}

Result<void> Store::remove_lineage(uint64_t lineage) {
    std::string directory = lineage_directory(root_.c_str(), lineage).text;
    std::string record = lineage_record_path(root_, lineage);
    // The record goes first, durably: whatever is left of a removal cut short does not count.
    int result = disk_->unlink(record.c_str());
    if (result < 0 && result != -ENOENT && result != -ENOTDIR)
        return errno_error(-result, fmt::format("remove lineage: remove {}", record));
    if (result == 0)
        TRY_CTX(sys::sync_directory(*disk_, directory, SyncSite::lineage_directory),
                "remove lineage {:016x}", lineage);
    TRY_CTX(sys::remove_tree(*disk_, directory), "remove lineage {:016x}", lineage);
    TRY_CTX(sys::sync_directory(*disk_, lineages_directory(root_), SyncSite::lineage_directory),
            "remove lineage {:016x}", lineage);
    return {};
}

Result<std::vector<uint64_t>> Store::dependents(uint64_t lineage) const {
    std::vector<uint64_t> found;
    NamesLineage known;
    for (uint64_t other : TRY(lineages_and_lost())) {
        if (other == lineage) continue;
        auto depends = depends_on(other, lineage, known);
        if (!depends.ok() && may_descend(other, lineage)) {
            log::error("store: lineage {:016x} is kept for {:016x}: {}", lineage, other,
                       depends.error().text());
            found.push_back(other);
        } else if (depends.ok() && *depends) {
            found.push_back(other);
        }
    }
    return found;
}

Result<bool> Store::depends_on(uint64_t other, uint64_t lineage, NamesLineage& known) const {
    std::vector<RestorePointId> origins = TRY(origins_of(other));
    for (const RestorePointId& origin : origins)
        if (origin.number != 0 && origin.log.lineage == lineage) return true;
    // An incarnation's restore points name, of other lineages, what its base names: no more. What
    // the lineage began from is the base of its first one.
    for (const RestorePointId& base : std::span(origins).subspan(1)) {
        if (base.number == 0) continue;
        auto names = known.find({base.log, base.number});
        if (names == known.end()) {
            RestorePoint point =
                TRY_CTX(restore_point(base), "look for dependents of lineage {:016x}", lineage);
            bool found =
                std::any_of(point.indexes.begin(), point.indexes.end(),
                            [&](const IndexRef& index) { return index.lineage == lineage; });
            names = known.emplace(std::pair(base.log, base.number), found).first;
        }
        if (names->second) return true;
    }
    return false;
}

Result<void> Store::remove_unfinished(const std::function<bool(uint64_t lineage)>& stays) {
    for (const std::string& name : TRY(sys::list_names(*disk_, lineages_directory(root_)))) {
        auto lineage = parse<uint64_t>(name, 16, 16);
        if (lineage && !TRY(sys::exists(*disk_, lineage_record_path(root_, *lineage))) &&
            !stays(*lineage))
            TRY_CTX(sys::remove_tree(*disk_, lineage_directory(root_.c_str(), *lineage).text),
                    "remove unfinished lineage");
    }
    return {};
}

Result<std::vector<uint32_t>> Store::incarnations(uint64_t lineage) const {
    std::vector<uint32_t> found;
    std::string directory = lineage_directory(root_.c_str(), lineage).text;
    for (const std::string& name :
         TRY_CTX(sys::list_names(*disk_, directory), "list incarnations")) {
        auto number = parse<uint32_t>(name, 10, 8);
        if (number && TRY(sys::exists(*disk_, incarnation_record_path(root_, {lineage, *number}))))
            found.push_back(*number);
    }
    std::sort(found.begin(), found.end());
    return found;
}

Result<IncarnationRecord> Store::incarnation(LogId log) const {
    std::string path = incarnation_record_path(root_, log);
    std::string bytes = TRY_CTX(sys::read_file(*disk_, path), "read incarnation {:016x}/{}",
                                log.lineage, log.incarnation);
    IncarnationRecord record = TRY_CTX(decode_incarnation(bytes), "read incarnation from {}", path);
    if (record.log != log)
        return error(Code::data_loss, "read incarnation from {}: it names itself {:016x}/{}", path,
                     record.log.lineage, record.log.incarnation);
    return record;
}

Result<bool> Store::has_run(LogId log) const {
    if (!TRY(restore_points(log)).empty()) return true;
    return sys::exists(*disk_, std::string(incarnation_directory(root_.c_str(), log)) + "/" +
                                   kWalArchiveDirectory);
}

Result<LogId> Store::begin_incarnation(uint64_t lineage) {
    std::string directory = lineage_directory(root_.c_str(), lineage).text;
    // Unfinished ones go, but they count: a number never means two lives, not even across a crash.
    uint32_t newest = 0;
    for (const std::string& name :
         TRY_CTX(sys::list_names(*disk_, directory), "begin incarnation")) {
        auto number = parse<uint32_t>(name, 10, 8);
        if (!number) continue;
        newest = std::max(newest, *number);
        bool unfinished =
            !TRY(sys::exists(*disk_, incarnation_record_path(root_, {lineage, *number}))) &&
            !TRY(has_run({lineage, *number}));
        if (unfinished)
            TRY_CTX(sys::remove_tree(*disk_, directory + "/" + name),
                    "remove unfinished incarnation");
    }
    LogId log{lineage, newest + 1};
    std::string mine = incarnation_directory(root_.c_str(), log).text;
    for (const std::string& path : {mine, mine + "/" + kWalDirectory})
        if (int made = disk_->make_directory(path.c_str(), 0700); made < 0)
            return errno_error(-made, fmt::format("begin incarnation: make directory {}", path));
    // Both names before the record, which says that they are there.
    for (const std::string& path : {mine, directory})
        TRY_CTX(sys::sync_directory(*disk_, path, SyncSite::lineage_directory),
                "begin incarnation {:016x}/{}", lineage, log.incarnation);
    return log;
}

Result<void> Store::finish_incarnation(const IncarnationRecord& record) {
    TRY_CTX(sys::create_durably(*disk_, incarnation_record_path(root_, record.log), encode(record),
                                SyncSite::lineage_data, SyncSite::lineage_directory),
            "finish incarnation {:016x}/{}", record.log.lineage, record.log.incarnation);
    return {};
}

Result<std::vector<uint32_t>> Store::restore_points(LogId log) const {
    return TRY_CTX(numbered_files(log, ".restore"), "list restore points");
}

Result<std::optional<RestorePoint>> Store::newest_restore_point(LogId log) const {
    std::vector<uint32_t> numbers = TRY(restore_points(log));
    std::optional<Error> damaged;
    while (!numbers.empty()) {
        auto point = restore_point({log, numbers.back()});
        if (point.ok()) return std::optional<RestorePoint>(std::move(point).value());
        if (point.error().code() != Code::data_loss) return std::move(point).error();
        log::error("restore point is damaged; an older one is used: {}", point.error().text());
        damaged = std::move(point).error();
        numbers.pop_back();
    }
    // Going on from the base would silently need WAL that a restore point has made needless.
    if (damaged) return *damaged;
    return std::optional<RestorePoint>();
}

Result<RestorePoint> Store::newest_restore_point(uint64_t lineage) const {
    std::vector<uint32_t> numbers = TRY(incarnations(lineage));
    if (numbers.empty())
        return error(Code::not_found, "lineage {:016x} has no incarnation", lineage);
    LogId log{lineage, numbers.back()};
    if (auto point = TRY(newest_restore_point(log))) return std::move(*point);
    RestorePointId base = TRY(incarnation(log)).base;
    if (base.number == 0)
        return error(Code::not_found, "lineage {:016x} has no restore point", lineage)
            .with_hint("it was never sealed: its import was cut short; make it again");
    return restore_point(base);
}

// Numbers of the files `<number><suffix>` in an incarnation's directory, ascending.
Result<RestorePoint> Store::restore_point(const RestorePointId& id) const {
    return load_restore_point(*disk_, root_.c_str(), id);
}

Result<std::vector<uint32_t>> Store::numbered_files(LogId log, std::string_view suffix) const {
    std::vector<uint32_t> numbers;
    for (const std::string& name :
         TRY(sys::list_names(*disk_, incarnation_directory(root_.c_str(), log).text))) {
        if (!name.ends_with(suffix)) continue;
        auto number =
            parse<uint32_t>(std::string_view(name).substr(0, name.size() - suffix.size()), 10, 8);
        if (number) numbers.push_back(*number);
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

// Restore points and indexes of an incarnation share one count. Files of failed attempts count too:
// a half-kept record may name them.
Result<uint32_t> Store::next_number(LogId log) const {
    uint32_t newest = 0;
    for (const char* suffix : {".restore", ".index"}) {
        std::vector<uint32_t> numbers = TRY(numbered_files(log, suffix));
        if (!numbers.empty()) newest = std::max(newest, numbers.back());
    }
    if (newest == UINT32_MAX)
        return error(Code::quota_exceeded, "incarnation {:016x}/{} has used all numbers",
                     log.lineage, log.incarnation);
    return newest + 1;
}

}  // namespace tarn::store
