// lineage_record.h: records of lineages and incarnations as bytes (docs/formats/lineage.md).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/lineage.h"

namespace tarn::store {

std::string encode(const LineageRecord& record);
std::string encode(const IncarnationRecord& record);
// data_loss when the bytes are not a whole record.
Result<LineageRecord> decode_lineage(std::string_view bytes);
Result<IncarnationRecord> decode_incarnation(std::string_view bytes);

}  // namespace tarn::store
