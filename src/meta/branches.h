#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/lsn.h"
#include "base/time.h"
#include "meta/meta.h"
#include "meta/state.h"

namespace tarn::meta {

struct BranchRow {
    std::string uid;  // "br-..."
    std::string project_uid;
    std::string id;
    State state = State::creating;
    std::string lineage;                     // its storage
    std::optional<std::string> source_uid;   // nothing for a root branch
    std::optional<std::string> source_name;  // kept: the source may be purged before
    std::optional<Lsn> source_lsn;
    std::optional<Time> source_time;
    bool is_protected = false;
    std::optional<Time> expire_time;
    Time create_time;
    Time update_time;
    Time state_change_time;
    std::optional<Time> delete_time;
    std::optional<Time> purge_time;
    // The snapshot that it was made from, if it was, and its name; that one may be gone.
    std::optional<std::string> source_snapshot_uid;
    std::optional<std::string> source_snapshot_name;
    // While it is restored or reset: the branch whose storage it is about to take.
    std::optional<std::string> replaced_by;

    bool is_root() const { return !source_uid.has_value(); }
    // Made, and nothing is under way that changes what it is.
    bool is_settled() const { return state == State::ready && !replaced_by; }
};

Result<void> insert_branch(Session& session, const BranchRow& row);
Result<void> update_branch(Session& session, const BranchRow& row);  // by uid; not the lineage
// Each of the two has the other's storage afterwards.
Result<void> exchange_lineages(Session& session, const BranchRow& one, const BranchRow& other);
// With its endpoints, roles, databases and snapshot schedule.
Result<void> erase_branch(Session& session, std::string_view uid);
Result<std::optional<BranchRow>> get_branch(Session& session, std::string_view uid);
// By id or uid, inside a project. An id means the branch that holds it, not a deleted one.
Result<std::optional<BranchRow>> find_branch(Session& session, std::string_view project_uid,
                                             std::string_view id_or_uid);
// In order of (id, uid), beginning after that pair.
Result<std::vector<BranchRow>> list_branches(Session& session, std::string_view project_uid,
                                             std::string_view after_id, std::string_view after_uid,
                                             bool show_deleted, int64_t limit);
// Every branch of the project, whatever its state.
Result<std::vector<BranchRow>> all_branches(Session& session, std::string_view project_uid);
Result<int64_t> count_branches(Session& session, std::string_view project_uid);  // all of those
Result<std::vector<BranchRow>> branches_to_expire(Session& session, Time now);
Result<std::vector<BranchRow>> branches_to_purge(Session& session, Time now);
// Those that are to go while nobody is at it: no operation is pending for them, and no restore that
// they are made for.
Result<std::vector<BranchRow>> branches_left_behind(Session& session);
// Branches made from this one, and not from a snapshot of it, that still hold their id.
Result<int64_t> count_children(Session& session, std::string_view uid);

}  // namespace tarn::meta
