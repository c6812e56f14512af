#include "store/power_loss_model.h"

#include <fmt/format.h>

#include <cstring>

#include "base/bytes.h"

namespace tarn::store::power_loss {

namespace {

// Every word of a page differs, so that no piece of a page can be taken for another piece. Most
// pages can be compressed, one in four cannot.
uint64_t word_of(Stamp stamp, size_t index) {
    if (index == 0) return stamp;
    if (stamp % 4 != 0) return stamp << 16 | index;
    return stamp * 0x9e3779b97f4a7c15 + index * 0xff51afd7ed558ccd;
}

constexpr size_t kWords = kBlockBytes / sizeof(uint64_t);

// What a block may read as once `versions` have happened, those before `decided` completed.
std::set<Stamp> stamps_from(const std::vector<BlockVersion>& versions, size_t decided,
                            Moment ended) {
    std::set<Stamp> stamps;
    if (decided == 0) stamps.insert(0);  // nothing was ever completed: zeros
    for (size_t i = decided > 0 ? decided - 1 : 0; i < versions.size(); ++i)
        if (i + 1 == decided || versions[i].started < ended) stamps.insert(versions[i].stamp);
    return stamps;
}

// One more than the index of the last version that was completed at `moment`.
size_t completed_by(const std::vector<BlockVersion>& versions, Moment moment) {
    for (size_t i = versions.size(); i > 0; --i)
        if (versions[i - 1].completed <= moment) return i;
    return 0;
}

}  // namespace

void fill_page(void* page, Stamp stamp) {
    if (stamp == 0) {
        std::memset(page, 0, kBlockBytes);
        return;
    }
    for (size_t i = 0; i < kWords; ++i) put(page, i * sizeof(uint64_t), word_of(stamp, i));
}

bool read_stamp(const void* page, Stamp* stamp) {
    *stamp = load<uint64_t>(page);
    for (size_t i = 1; i < kWords; ++i)
        if (load<uint64_t>(page, i * sizeof(uint64_t)) != (*stamp == 0 ? 0 : word_of(*stamp, i)))
            return false;
    return true;
}

void History::begin(FileBirth file, uint32_t block, Stamp stamp) {
    files_[file][block] = {{stamp, 0, 0}};
}

void History::start(FileBirth file, uint32_t block, Stamp stamp, Moment now) {
    files_[file][block].push_back({stamp, now, kNever});
}

void History::complete(FileBirth file, uint32_t block, Moment now) {
    files_[file][block].back().completed = now;
}

void History::start_cut(FileBirth file, uint32_t from, Moment now) {
    auto& blocks = files_[file];
    for (auto at = blocks.lower_bound(from); at != blocks.end(); ++at)
        at->second.push_back({0, now, kNever});
}

void History::complete_cut(FileBirth file, uint32_t from, Moment now) {
    auto& blocks = files_[file];
    for (auto at = blocks.lower_bound(from); at != blocks.end(); ++at)
        at->second.back().completed = now;
}

std::set<Stamp> History::readable(FileBirth file, uint32_t block) const {
    return sealed(file, block, kNever - 1, kNever);
}

std::set<Stamp> History::sealed(FileBirth file, uint32_t block, Moment seal_began,
                                Moment seal_ended) const {
    auto blocks = files_.find(file);
    if (blocks == files_.end()) return {0};
    auto versions = blocks->second.find(block);
    if (versions == blocks->second.end()) return {0};
    return stamps_from(versions->second, completed_by(versions->second, seal_began), seal_ended);
}

std::set<Stamp> ModelPoint::allowed(FileBirth file, uint32_t block) const {
    auto found = blocks.find(file);
    if (found == blocks.end()) return {0};
    auto stamps = found->second.find(block);
    return stamps == found->second.end() ? std::set<Stamp>{0} : stamps->second;
}

ModelPoint make_point(const History& history, RestorePoint point, Moment seal_began,
                      Moment seal_ended) {
    ModelPoint model;
    for (const FileRecord& file : point.files) {
        FileBirth birth{file.id, file.birth};
        for (uint32_t block = 0; block < file.length; ++block)
            model.blocks[birth][block] = history.sealed(birth, block, seal_began, seal_ended);
    }
    model.point = std::move(point);
    return model;
}

std::string describe(const std::set<Stamp>& stamps) {
    std::string text;
    for (Stamp stamp : stamps) text += fmt::format("{}{}", text.empty() ? "" : ",", stamp);
    return "{" + text + "}";
}

}  // namespace tarn::store::power_loss
