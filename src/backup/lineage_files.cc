#include "backup/lineage_files.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <thread>

#include "compute/layout.h"
#include "compute/lost_records.h"
#include "compute/opening.h"
#include "store/packed_files.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::backup {

namespace {

constexpr uint64_t kAll = ~uint64_t{0};

// A start of a compute takes far less; meanwhile nobody can say how far its WAL is good.
constexpr auto kLongestStart = std::chrono::seconds(120);
constexpr auto kBetweenLooks = std::chrono::milliseconds(100);

bool is_unreadable(const Error& failure) {
    return failure.code() == Code::data_loss || failure.os_errno() == EIO;
}

Result<compute::MomentSource> newest_moment(const store::Store& store, uint64_t lineage) {
    auto deadline = std::chrono::steady_clock::now() + kLongestStart;
    for (;;) {
        auto source = compute::find_moment(store, lineage, compute::Newest{});
        bool starting = !source && source.error().code() == Code::unavailable;
        if (!starting || std::chrono::steady_clock::now() > deadline) return source;
        std::this_thread::sleep_for(kBetweenLooks);
    }
}

}  // namespace

std::string LineageFiles::below(const std::string& path) const {
    return path.substr(data_directory_.size() + 1);
}

// A file that is not there is none, or a problem.
Result<void> LineageFiles::add_file(const std::string& path, Inventory& inventory, uint64_t most,
                                    bool must_be) {
    auto file = sys::File::open(store_.disk(), path, O_RDONLY);
    if (!file && file.error().code() == Code::not_found) {
        if (must_be) inventory.problems.push_back(below(path) + " is not there");
        return {};
    }
    uint64_t size = std::min(TRY(TRY(std::move(file)).size()), most);
    inventory.files.push_back({below(path), {path}, size, size});
    return {};
}

void LineageFiles::add_contents(const std::string& path, std::string contents,
                                Inventory& inventory) const {
    FileToSave file;
    file.path = below(path);
    file.contents = std::move(contents);
    inventory.files.push_back(std::move(file));
}

Result<void> LineageFiles::read_points(uint64_t lineage) {
    lives_[lineage] = TRY(store_.incarnations(lineage));
    for (uint32_t lost :
         TRY(compute::incarnations_without_record(store_, lineage, lives_[lineage])))
        problems_[lineage].push_back(
            fmt::format("the record of incarnation {} of lineage {} is gone, and nothing of it is "
                        "in the backup",
                        lost, compute::lineage_text(lineage)));
    for (uint32_t number : lives_[lineage]) {
        store::LogId log{lineage, number};
        points_[log] = TRY(store_.restore_points(log));
        for (uint32_t each : points_[log]) {
            auto point = store_.restore_point({log, each});
            // It is taken along as it is; what it named nobody can say.
            if (!point && is_unreadable(point.error())) {
                problems_[lineage].push_back(point.error().message());
                sealed_[log] = kAll;
                continue;
            }
            auto read = TRY(std::move(point));
            sealed_[log] = std::max(sealed_[log], read.seal_slot);
            for (const store::IndexRef& ref : read.indexes)
                indexes_[{ref.lineage, ref.incarnation}].insert(ref.number);
        }
        if (points_[log].empty()) sealed_[log] = kAll;  // others' restore points may lead there
    }
    return {};
}

Result<void> LineageFiles::list(uint64_t lineage, Inventory& inventory) {
    const auto& lives = lives_[lineage];
    auto& problems = problems_[lineage];
    std::move(problems.begin(), problems.end(), std::back_inserter(inventory.problems));
    // Its making was cut short, or is under way: whoever needs it makes it anew.
    if (lives.empty()) return {};
    std::string directory = store::lineage_directory(store_.root().c_str(), lineage).text;
    for (const char* name : {"lineage", "kept_from", "set_aside"})
        TRY(add_file(directory + "/" + name, inventory));
    for (uint32_t number : lives)
        TRY(list_life({lineage, number}, number == lives.back(), inventory));
    return {};
}

Result<void> LineageFiles::list_life(store::LogId log, bool newest, Inventory& inventory) {
    std::string directory = compute::incarnation_path(store_, log);
    TRY(add_file(directory + "/incarnation", inventory));
    for (uint32_t number : points_[log])
        TRY(add_file(store::restore_point_path(store_.root().c_str(), log, number).text,
                     inventory));
    for (uint32_t number : indexes_[log])
        TRY(add_file(store::index_path(store_.root().c_str(), log, number).text, inventory, kAll,
                     true));
    TRY(list_log(log, inventory));
    for (const char* name : {store::kWalDirectory, store::kWalArchiveDirectory})
        if (TRY(sys::exists(store_.disk(), directory + "/" + name)))
            inventory.directories.push_back(below(directory + "/" + name));
    TRY(list_wal(log, newest, inventory));
    // After its WAL: a compute that has started since has begun with what was listed.
    auto marker = compute::read_clean_marker(store_, log);
    if (newest && marker && marker->kind == compute::CleanMarker::Kind::prepared)
        add_contents(compute::clean_marker_path(store_, log), "prepared\n", inventory);
    return {};
}

// Segments that are gone held nothing that anybody needs. Nothing is packed meanwhile.
Result<void> LineageFiles::list_log(store::LogId log, Inventory& inventory) {
    uint64_t sealed = sealed_[log];
    for (uint64_t segment : TRY(store::segments_of(store_.disk(), store_.root().c_str(), log))) {
        if (segment * store::kSlotsPerSegment >= sealed) continue;
        uint64_t slots =
            std::min(store::kSlotsPerSegment, sealed - segment * store::kSlotsPerSegment);
        for (bool headers : {false, true})
            TRY(add_file(store::segment_path(store_.root().c_str(), log, segment, headers).text,
                         inventory,
                         slots * (headers ? sizeof(store::SlotHeader) : store::kBlockBytes), true));
    }
    for (const auto& [segment, numbers] :
         TRY(store::packed_numbers(store_.disk(), store_.root().c_str(), log)))
        for (uint32_t number : numbers)
            TRY(add_file(store::packed_path(store_.root().c_str(), log, segment, number).text,
                         inventory, kAll, true));
    return {};
}

Result<void> LineageFiles::list_wal(store::LogId log, bool newest, Inventory& inventory) {
    std::string directory = compute::incarnation_path(store_, log);
    std::optional<compute::MomentSource> source;
    if (newest) {
        auto found = newest_moment(store_, log.lineage);
        // Damaged, or a start that hangs: this WAL is taken as it is, and all other branches.
        bool unclear =
            !found && (is_unreadable(found.error()) || found.error().code() == Code::unavailable);
        if (!found && !unclear) return std::move(found).error();
        // If another life has begun meanwhile, this one's WAL has its last end.
        bool moved_on = TRY(store_.incarnations(log.lineage)).back() != log.incarnation;
        if (found && !moved_on)
            source = std::move(*found);
        else if (!found)
            inventory.problems.push_back(
                fmt::format("lineage {}: its newest commits may be missing: {}",
                            compute::lineage_text(log.lineage), found.error().message()));
    }
    auto files =
        source ? std::move(source->files) : TRY(wal::WalFiles::list(store_.disk(), directory));
    for (const auto& [tli, text] : files.histories()) {
        char name[pg::kHistoryNameLength + 1];
        pg::format_history_name(tli, name);
        add_contents(fmt::format("{}/{}/{}", directory, store::kWalDirectory, name), text,
                     inventory);
    }
    for (const auto& [segment, path] : files.segments()) {
        if (wal::is_compressed_name(path)) {  // it goes as it is
            TRY(add_file(path, inventory));
            continue;
        }
        FileToSave file;
        file.path = below(path);
        // PostgreSQL may be done with it, and move it there, at any time.
        file.sources = {path, fmt::format("{}/{}/{}", directory, store::kWalArchiveDirectory,
                                          wal::segment_name(segment))};
        file.bytes = file.data_bytes = wal::kSegmentBytes;
        if (source && segment.tli >= source->end.tli) {
            uint64_t begin = segment.number * wal::kSegmentBytes;
            if (begin >= source->end.end.value) continue;
            file.data_bytes = std::min(wal::kSegmentBytes, source->end.end.value - begin);
        }
        inventory.files.push_back(std::move(file));
    }
    if (!newest) return {};
    // What is known to be missing must be missed there too.
    auto durable = source ? Result<Lsn>(source->end.end) : compute::known_durable(store_, log);
    if (durable && durable->valid())
        add_contents(compute::durable_note_path(store_, log), compute::durable_note(*durable),
                     inventory);
    return {};
}

}  // namespace tarn::backup
