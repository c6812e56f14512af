// power_loss_model.h: what the simulated store must hold, kept in plain maps.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "store/index_writer.h"
#include "store/restore_point.h"

namespace tarn::store::power_loss {

// A page's contents, told by a number; 0 is a page of zeros.
using Stamp = uint64_t;
void fill_page(void* page, Stamp stamp);
// Answers false for bytes that nobody wrote like this: a torn page.
bool read_stamp(const void* page, Stamp* stamp);

// Moments of the simulation, counted up by one with everything that happens.
using Moment = uint64_t;
constexpr Moment kNever = UINT64_MAX;

// One version of a block: a write, or a cut that made it zeros.
struct BlockVersion {
    Stamp stamp = 0;
    Moment started = 0;
    Moment completed = kNever;  // kNever: under way, or failed
};

// The versions of every block of every file that an incarnation has had.
class History {
  public:
    // Begins at a restore point: its contents, and nothing before.
    void begin(FileBirth file, uint32_t block, Stamp stamp);
    void start(FileBirth file, uint32_t block, Stamp stamp, Moment now);
    void complete(FileBirth file, uint32_t block, Moment now);
    // A cut of every block from `from` on.
    void start_cut(FileBirth file, uint32_t from, Moment now);
    void complete_cut(FileBirth file, uint32_t from, Moment now);

    // What the block may read as now.
    std::set<Stamp> readable(FileBirth file, uint32_t block) const;
    // What it may read as at a seal: nothing older than the last version completed before the seal
    // began, nothing that began after it had ended.
    std::set<Stamp> sealed(FileBirth file, uint32_t block, Moment seal_began,
                           Moment seal_ended) const;

  private:
    std::map<FileBirth, std::map<uint32_t, std::vector<BlockVersion>>> files_;
};

// A restore point, with what each block of it may be. Blocks that are not here are zeros.
struct ModelPoint {
    RestorePoint point;
    bool saved = false;      // save() has said so: no power loss may take it
    bool collected = false;  // as garbage: it may come back, but nobody may need it
    std::map<FileBirth, std::map<uint32_t, std::set<Stamp>>> blocks;

    std::set<Stamp> allowed(FileBirth file, uint32_t block) const;
    // Once it has been read it stays what it was.
    void settle(FileBirth file, uint32_t block, Stamp stamp) { blocks[file][block] = {stamp}; }
};

ModelPoint make_point(const History& history, RestorePoint point, Moment seal_began,
                      Moment seal_ended);

std::string describe(const std::set<Stamp>& stamps);

}  // namespace tarn::store::power_loss
