// promotion.h: did recovery replay all that it was started for?
#pragma once

#include <string>

#include "base/lsn.h"
#include "base/result.h"
#include "sys/disk.h"

namespace tarn::compute {

// Compares where the newest timeline of the incarnation begins with the planned end of its WAL.
// data_loss when PostgreSQL ended recovery somewhere else.
Result<void> check_switch_point(sys::Disk& disk, const std::string& incarnation_directory,
                                Lsn planned);

}  // namespace tarn::compute
