#include "wal/wal_files.h"

#include <fcntl.h>

#include "pg/history_file.h"
#include "store/paths.h"

namespace tarn::wal {

std::string segment_name(SegmentId segment) {
    char name[pg::kWalNameLength + 1];
    pg::format_wal_name(segment.tli, segment.number, pg::kDefaultWalSegmentSize, name);
    return name;
}

Result<void> WalFiles::add(const std::string& subdirectory) {
    std::string path = directory_ + "/" + subdirectory;
    for (const auto& name : TRY(sys::list_names_if_any(*disk_, path))) {
        SegmentId segment;
        uint32_t tli = 0;
        if (pg::parse_wal_name(name, pg::kDefaultWalSegmentSize, &segment.tli, &segment.number))
            segments_.emplace(segment, path + "/" + name);
        else if (pg::parse_history_name(name, &tli) && !histories_.contains(tli))
            histories_[tli] = TRY(sys::read_file(*disk_, path + "/" + name));
    }
    return {};
}

Result<WalFiles> WalFiles::list(sys::Disk& disk, const std::string& incarnation_directory) {
    WalFiles files(disk, incarnation_directory);
    // The archive last: what moves there between the two is seen at least once.
    TRY(files.add(store::kWalDirectory));
    TRY(files.add(store::kWalArchiveDirectory));
    return files;
}

namespace {

Result<std::vector<TimelineSpan>> parse_spans(uint32_t tli, std::string_view text) {
    auto history = TRY(pg::parse_history(tli, text));
    std::vector<TimelineSpan> spans;
    Lsn begin;
    for (const auto& ancestor : history.ancestors) {
        spans.push_back({ancestor.tli, begin, ancestor.switch_point});
        begin = ancestor.switch_point;
    }
    spans.push_back({tli, begin, Lsn{~uint64_t{0}}});
    return spans;
}

}  // namespace

Result<std::vector<TimelineSpan>> WalFiles::timelines_from(uint32_t tli) const {
    uint32_t newest = tli;
    while (histories_.contains(newest + 1)) ++newest;
    auto found = histories_.find(newest);
    // The first timeline has no history file; one that was made by a branch brings its own.
    if (found == histories_.end())
        return std::vector<TimelineSpan>{{tli, Lsn{}, Lsn{~uint64_t{0}}}};
    auto spans = TRY(parse_spans(newest, found->second));
    for (const auto& span : spans)
        if (span.tli == tli) return spans;
    return error(Code::data_loss, "timeline {} does not lead to timeline {}", tli, newest);
}

const SegmentId* WalFiles::choose(const std::vector<TimelineSpan>& timelines,
                                  uint64_t number) const {
    for (auto span = timelines.rbegin(); span != timelines.rend(); ++span) {
        if (span->begin.value / kSegmentBytes > number) continue;
        auto found = segments_.find({span->tli, number});
        if (found != segments_.end()) return &found->first;
    }
    return nullptr;
}

Result<sys::File> WalFiles::open(SegmentId segment) const {
    auto found = segments_.find(segment);
    if (found == segments_.end())
        return error(Code::not_found, "there is no WAL segment {}", segment_name(segment));
    auto file = sys::File::open(*disk_, found->second, O_RDONLY);
    if (file || file.error().code() != Code::not_found) return file;
    std::string archived =
        directory_ + "/" + store::kWalArchiveDirectory + "/" + segment_name(segment);
    return sys::File::open(*disk_, archived, O_RDONLY);
}

}  // namespace tarn::wal
