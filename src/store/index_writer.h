// index_writer.h: makes sealed indexes (docs/formats/index.md) from slot headers and from each
// other.
//
// Whoever looks a block up asks a stack of indexes, newest first, and believes the first that knows
// it. So an index may only be put on a stack if nothing in it is older than what the stack below
// says of the same block; docs/formats/index.md argues why index_seal() keeps to that in spite of
// holes and copies.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "store/index_reader.h"
#include "sys/disk.h"

namespace tarn::store {

// Which of the files that ever had an identity.
struct FileBirth {
    FileId id;
    uint64_t birth = 0;
    auto operator<=>(const FileBirth&) const = default;
};

// What an index holds, in memory. `location` of an entry has the source number of `sources`,
// from 1.
struct IndexContents {
    struct File {
        uint32_t cut = UINT32_MAX;
        std::vector<IndexEntry> entries;  // sorted by block, each block once
    };

    std::vector<LogId> sources;
    std::map<FileBirth, File> files;

    uint64_t entry_count() const;
    uint64_t encoded_bytes() const;
    bool empty() const { return files.empty(); }
};

// Builds the contents of an index from the slots of one log.
class IndexBuilder {
  public:
    explicit IndexBuilder(LogId log) : log_(log) {}

    // Blocks of the file from `block` on that no slot holds are zeros, whatever older indexes say.
    // Before any slot of the file.
    void begin_cut(const FileBirth& file, uint32_t block);
    // Slots must come in ascending order; `header` is valid and of this log.
    void add(const SlotHeader& header);
    // Which slot of this log the stack below says that a block lies in; nullopt: in none of it.
    using Below = std::function<Result<std::optional<uint64_t>>(const FileBirth&, uint32_t block)>;
    // `below` is asked only if there are copies: one counts exactly if the slot that it was made of
    // is the block's newest version before it.
    Result<IndexContents> finish(const Below& below);

  private:
    struct Version {
        uint32_t block;
        uint32_t page_crc;
        uint64_t slot;
        std::optional<uint32_t> copied_slot;
    };
    struct Cut {
        uint64_t slot;
        uint32_t block;
    };
    struct History {
        std::vector<Version> versions;  // in slot order
        std::vector<Cut> cuts;          // in slot order
    };
    struct Hash {
        size_t operator()(const FileBirth& file) const {
            return static_cast<size_t>(
                (file.id.hi ^ file.id.lo * 0x9e3779b97f4a7c15 ^ file.birth * 0xff51afd7ed558ccd));
        }
    };
    static bool is_cut(const History& history, uint32_t block, uint64_t from, uint64_t to);
    static Result<void> drop_late_copies(const FileBirth& file, History& history,
                                         const Below& below);
    static IndexContents::File flatten(History& history);

    LogId log_;
    bool has_copies_ = false;
    std::unordered_map<FileBirth, History, Hash> files_;
};

// The two of them in one, where `newer` lies right above `older` in a stack. Files of `older` that
// `alive` denies are left out.
IndexContents merge(const IndexContents& newer, const IndexReader& older,
                    const std::function<bool(const FileBirth&)>& alive);

std::string encode(const IndexContents& contents);

// An index read whole and checked.
class LoadedIndex {
  public:
    static Result<LoadedIndex> load(sys::Disk& disk, const char* root, const IndexRef& ref);
    const IndexReader& reader() const { return reader_; }
    uint64_t bytes() const { return reader_.header()->total_bytes; }
    std::vector<LogId> sources() const;

  private:
    std::unique_ptr<std::string> bytes_;  // its address stays when this object moves
    IndexReader reader_;
};

// The logs that an index's entries lie in, when all of its bytes were compared with its checksum:
// in pieces, since a compute that starts waits for it, and a large parent's index has megabytes.
Result<std::vector<LogId>> checked_sources(sys::Disk& disk, const char* root, const IndexRef& ref);

// Writes it durably under its name; the name must be new.
Result<void> save_index(sys::Disk& disk, const char* root, const IndexRef& ref,
                        const IndexContents& contents);

}  // namespace tarn::store
