// target.h: which format a file has, by its first bytes or its name, and where in a store it lies.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/format.h"

namespace tarn::inspect {

enum class Kind : uint8_t {
    slots,
    pages,
    packed,
    index,
    restore_point,
    lineage,
    incarnation,
    map,
    control,
    wal,
    compressed_wal,
    history,
    kept_from,
    set_aside,
    clean,
    wal_durable,
    object,
    record,
};

struct KindInfo {
    Kind kind;
    std::string_view name;  // as --formats prints it
    std::string_view page;  // of docs/formats that describes it
};
// Every format that has a view.
const std::vector<KindInfo>& kinds();
std::string_view name_of(Kind kind);

struct Target {
    std::string path;
    Kind kind = Kind::slots;
    std::optional<store::LogId> log;  // by the names of its directories; incarnation 0: a lineage's
    std::string root;                 // of the store, if it lies in one
    std::optional<uint64_t> number;   // in its name
};

// not_found, or invalid_argument if it is none of the formats.
Result<Target> recognise(const std::string& path);

}  // namespace tarn::inspect
