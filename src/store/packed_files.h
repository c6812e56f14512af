// packed_files.h: the packed files of a log as a whole (docs/formats/packed.md), for who looks for
// more than one page.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/packed_reader.h"
#include "sys/files.h"

namespace tarn::store {

// By segment, the numbers of its packed files.
using PackedNumbers = std::map<uint64_t, std::vector<uint32_t>>;
Result<PackedNumbers> packed_numbers(sys::Disk& disk, const char* root, LogId log);

struct PackedFile {
    sys::File file;
    std::vector<PackedEntry> entries;  // checked
};
// data_loss if header or entries are damaged.
Result<PackedFile> open_packed(sys::Disk& disk, const char* root, LogId log, uint64_t segment,
                               uint32_t number);

// Where the page of a slot lies.
struct PagePlace {
    std::string path;
    uint64_t offset = 0;
    uint32_t bytes = kBlockBytes;  // less where it is packed
};
// Of a damaged packed file that may have it: that file, from its beginning.
PagePlace place_of(sys::Disk& disk, const char* root, LogId log, uint64_t slot);

}  // namespace tarn::store
