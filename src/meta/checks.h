// checks.h: what was found when a lineage was read whole, or opened at some moment and checked.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lsn.h"
#include "base/time.h"
#include "meta/meta.h"

namespace tarn::meta {

struct VerificationRow {
    std::string lineage;
    Time seen_time;
    std::optional<Time> verify_time;
    std::optional<Time> whole_time;
    int64_t bytes = 0;
    int64_t damage_count = 0;
    std::string damages = "[]";  // JSON
    std::optional<Lsn> newest_whole_lsn;
    std::optional<Time> newest_whole_time;
    std::optional<std::string> failure;

    // The last look at it, or the first meeting.
    Time last() const { return verify_time.value_or(seen_time); }
};

struct RestoreCheckRow {
    std::string lineage;
    Time check_time;
    std::optional<Time> good_time;
    std::optional<Lsn> moment_lsn;
    Time moment_time;
    int64_t relations = 0;
    int64_t failure_count = 0;
    std::string failures = "[]";  // JSON
};

// Each in place of what was known of the lineage.
Result<void> put_verification(Session& session, const VerificationRow& row);
Result<void> put_restore_check(Session& session, const RestoreCheckRow& row);
Result<std::optional<VerificationRow>> get_verification(Session& session, std::string_view lineage);
Result<std::optional<RestoreCheckRow>> get_restore_check(Session& session,
                                                         std::string_view lineage);
Result<std::vector<VerificationRow>> all_verifications(Session& session);
// Of a lineage that is gone.
Result<void> erase_checks(Session& session, std::string_view lineage);

}  // namespace tarn::meta
