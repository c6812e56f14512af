#include "compute/promotion.h"

#include "wal/wal_files.h"

namespace tarn::compute {

Result<void> check_switch_point(sys::Disk& disk, const std::string& incarnation_directory,
                                Lsn planned) {
    auto files = TRY(wal::WalFiles::list(disk, incarnation_directory));
    if (files.histories().empty())
        return error(Code::data_loss, "recovery ended without a new timeline");
    uint32_t newest = files.histories().rbegin()->first;
    auto timelines = TRY(files.timelines_from(newest));
    Lsn began = timelines.back().begin;
    if (began != planned)
        return error(Code::data_loss, "recovery ended at {} instead of {}, where the WAL ends",
                     began.text(), planned.text())
            .with_hint("the compute was not opened; its postgres.log says what recovery met");
    return {};
}

}  // namespace tarn::compute
