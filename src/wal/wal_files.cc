#include "wal/wal_files.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>

#include "pg/history_file.h"
#include "store/paths.h"
#include "wal/compressed_segment.h"

namespace tarn::wal {

Result<size_t> SegmentContents::read_some(void* data, size_t size, uint64_t offset) const {
    if (plain_) return plain_->read_some(data, size, offset);
    if (offset >= decompressed_.size()) return size_t{0};
    size_t got = std::min<uint64_t>(size, decompressed_.size() - offset);
    std::memcpy(data, decompressed_.data() + offset, got);
    return got;
}

Result<void> WalFiles::add(const std::string& subdirectory) {
    std::string path = directory_ + "/" + subdirectory;
    for (const auto& name : TRY(sys::list_names_if_any(*disk_, path))) {
        uint32_t tli = 0;
        // Sorted: the plain name comes before that of its compressed file, and stays.
        auto segment = parse_segment_name(name);
        if (!segment) segment = parse_segment_name(name, kCompressedSuffix);
        if (segment)
            segments_.emplace(*segment, path + "/" + name);
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

Result<SegmentContents> WalFiles::open(SegmentId segment) const {
    auto found = segments_.find(segment);
    if (found == segments_.end())
        return error(Code::not_found, "there is no WAL segment {}", segment_name(segment));
    std::string archive = directory_ + "/" + store::kWalArchiveDirectory + "/";
    for (const auto& path : {found->second, archive + segment_name(segment)}) {
        if (is_compressed_name(path)) break;
        auto file = sys::File::open(*disk_, path, O_RDONLY);
        if (file) return SegmentContents(std::move(*file));
        if (file.error().code() != Code::not_found) return std::move(file).error();
    }
    std::string path = archive + compressed_name(segment);
    auto bytes = TRY(sys::read_file(*disk_, path));
    return SegmentContents(TRY(decompress_segment(segment, bytes, path)));
}

}  // namespace tarn::wal
