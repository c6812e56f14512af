#include "wal/wal_files.h"

#include <fcntl.h>

#include <cerrno>
#include <charconv>

#include "wal/disk_files.h"

namespace tarn::wal {

std::string segment_name(SegmentId segment) {
    char name[pg::kWalNameLength + 1];
    pg::format_wal_name(segment.tli, segment.number, pg::kDefaultWalSegmentSize, name);
    return name;
}

Result<void> WalFiles::add(const std::string& subdirectory) {
    std::string path = directory_ + "/" + subdirectory;
    for (const auto& name : TRY(list_names(*disk_, path))) {
        SegmentId segment;
        uint32_t tli = 0;
        if (pg::parse_wal_name(name, pg::kDefaultWalSegmentSize, &segment.tli, &segment.number))
            segments_.emplace(segment, path + "/" + name);
        else if (pg::parse_history_name(name, &tli) && !histories_.contains(tli))
            histories_[tli] = TRY(read_whole(*disk_, path + "/" + name));
    }
    return {};
}

Result<WalFiles> WalFiles::list(sys::Disk& disk, const std::string& incarnation_directory) {
    WalFiles files(disk, incarnation_directory);
    // The archive last: what moves there between the two is seen at least once.
    TRY(files.add(kWalDirectory));
    TRY(files.add(kArchiveDirectory));
    return files;
}

namespace {

// "1\t0/3000148\tno recovery target specified": PostgreSQL's own format, one parent a line.
Result<std::vector<TimelineSpan>> parse_history(uint32_t tli, std::string_view text) {
    std::vector<TimelineSpan> spans;
    Lsn begin;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        while (!line.empty() && (line.front() == ' ' || line.front() == '\t'))
            line.remove_prefix(1);
        if (line.empty() || line.front() == '#') continue;
        uint32_t parent = 0;
        auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), parent);
        auto rest = line.substr(static_cast<size_t>(end - line.data()));
        auto start = rest.find_first_not_of(" \t");
        if (failure != std::errc{} || start == rest.npos || parent >= tli ||
            (!spans.empty() && parent <= spans.back().tli))
            return error(Code::data_loss, "history of timeline {} has the line `{}`", tli, line);
        rest.remove_prefix(start);
        auto lsn = TRY_CTX(Lsn::parse(rest.substr(0, rest.find_first_of(" \t"))),
                           "history of timeline {}", tli);
        spans.push_back({parent, begin, lsn});
        begin = lsn;
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
    auto spans = TRY(parse_history(newest, found->second));
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

int WalFiles::open(SegmentId segment) const {
    auto found = segments_.find(segment);
    if (found == segments_.end()) return -ENOENT;
    int fd = disk_->open(found->second.c_str(), O_RDONLY, 0);
    if (fd != -ENOENT) return fd;
    std::string archived = directory_ + "/" + kArchiveDirectory + "/" + segment_name(segment);
    return disk_->open(archived.c_str(), O_RDONLY, 0);
}

}  // namespace tarn::wal
