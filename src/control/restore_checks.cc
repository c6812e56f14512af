#include "control/restore_checks.h"

#include <algorithm>
#include <condition_variable>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "control/names.h"
#include "meta/projects.h"
#include "meta/settings.h"

namespace tarn::control {

namespace {

using meta::Session;

constexpr size_t kFailuresKept = 20;
constexpr Span kMostOften = std::chrono::milliseconds{200};
constexpr Span kLeastOften = std::chrono::seconds{60};
// When the last one began that the clock asked for, in microseconds.
constexpr std::string_view kLastKey = "restore_check_time";

// So many in one transaction: it holds a lock on each.
constexpr size_t kRelationsAtOnce = 200;

// In a schema of its own: the branch may have the extension somewhere already. What is found in one
// relation, or fails there, is told, and the next one looked at. The last row of each says whether
// amcheck has looked at it: to its end, or to where it found damage.
constexpr const char* kInstall = R"sql(
    DROP EXTENSION IF EXISTS amcheck CASCADE;
    CREATE SCHEMA tarn_restore_check;
    CREATE EXTENSION amcheck SCHEMA tarn_restore_check;
    CREATE FUNCTION tarn_restore_check.look(relation oid, is_index boolean)
    RETURNS TABLE (failure text, looked_at boolean)
    LANGUAGE plpgsql AS $look$
    BEGIN
        IF is_index THEN
            PERFORM tarn_restore_check.bt_index_check(relation::regclass, true);
        ELSE
            RETURN QUERY
                SELECT format('block %s, item %s: %s', blkno, coalesce(offnum::text, '-'), msg),
                       false
                FROM tarn_restore_check.verify_heapam(relation::regclass, check_toast := true)
                LIMIT 20;
        END IF;
        RETURN QUERY SELECT '', true;
    EXCEPTION
        WHEN data_corrupted OR index_corrupted THEN
            RETURN QUERY SELECT SQLERRM, true;
        WHEN OTHERS THEN
            RETURN QUERY SELECT SQLERRM, false;
    END $look$)sql";
constexpr const char* kDatabases =
    "SELECT datname FROM pg_database WHERE datallowconn ORDER BY datname";
// Heaps, then B-trees; nothing temporary, of which a branch has no bytes.
constexpr const char* kRelations =
    "SELECT c.oid, c.relkind = 'i' FROM pg_class c "
    "JOIN pg_am a ON a.oid = c.relam LEFT JOIN pg_index i ON i.indexrelid = c.oid "
    "WHERE c.relpersistence <> 't' AND "
    "((c.relkind IN ('r', 't', 'm') AND a.amname = 'heap') OR (c.relkind = 'i' AND "
    "a.amname = 'btree' AND i.indisvalid AND i.indisready AND i.indislive)) "
    "ORDER BY c.relkind = 'i', c.oid";

// `relations`: "oid,is_index" of each, as rows of an SQL VALUES list.
std::string look_at(const std::string& relations) {
    return fmt::format(
        "SELECT CASE WHEN is_index THEN 'index ' ELSE 'table ' END || oid::regclass, failure, "
        "looked_at FROM (VALUES {}) r(oid, is_index), tarn_restore_check.look(r.oid, is_index)",
        relations);
}

std::string json_lines(const std::vector<std::string>& lines) {
    return nlohmann::json(lines).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

void RestoreChecks::Found::add(std::string failure) {
    ++failure_count;
    if (failures.size() < kFailuresKept) failures.push_back(std::move(failure));
}

void RestoreChecks::start() {
    if (core_.options.restore_check_every == Span{0}) return;
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void RestoreChecks::cancel() {
    cancelled_ = true;
    std::string uid;
    {
        std::lock_guard held(open_mutex_);
        uid = open_uid_;
    }
    // A statement that takes long ends with its server.
    if (!uid.empty()) (void)core_.computes.remove(uid);
}

void RestoreChecks::stop() {
    cancel();
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void RestoreChecks::run(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any ticks;
    Span tick = std::clamp(core_.options.restore_check_every / 10, kMostOften, kLeastOften);
    while (!stop.stop_requested()) {
        if (auto done = run_once(); !done.ok() && !cancelled_)
            log::error("control: check a restore: {}", done.error().text());
        std::unique_lock lock(mutex);
        ticks.wait_for(lock, stop, tick, [] { return false; });
    }
}

Result<void> RestoreChecks::run_once() {
    std::vector<RestoreCheckDraft> branches;
    bool due = TRY(core_.meta.write([&](Session& session) -> Result<bool> {
        auto last = TRY(meta::get_setting(session, kLastKey));
        Time now = core_.now();
        bool is_due =
            last && Time{Span{std::stoll(*last)}} + core_.options.restore_check_every <= now;
        // The first one is as far away as any other.
        if (!last || is_due)
            TRY(meta::set_setting(session, kLastKey,
                                  std::to_string(now.time_since_epoch().count())));
        if (!is_due) return false;
        for (const auto& project : TRY(meta::list_projects(session, "", false, INT64_MAX)))
            for (const auto& branch : TRY(meta::all_branches(session, project.uid)))
                if (project.state == meta::State::ready && branch.is_settled())
                    branches.push_back({project.uid, branch.uid, std::nullopt});
        return true;
    }));
    if (!due || branches.empty()) return {};
    auto checked = make(branches[core_.environment.random() % branches.size()]);
    if (!checked.ok() && checked.error().code() != Code::unavailable &&
        checked.error().code() != Code::not_found && checked.error().code() != Code::conflict)
        return std::move(checked).error();
    return {};
}

Result<RestoreCheckView> RestoreChecks::make(const RestoreCheckDraft& draft) {
    std::unique_lock one(one_, std::try_to_lock);
    if (!one.owns_lock())
        return error(Code::unavailable, "another restore is being checked")
            .with_hint("try again when that has ended");
    if (cancelled_) return error(Code::unavailable, "the server is ending");
    TRY(core_.check_room("check a restore"));
    return check(draft);
}

// From where its history is kept to now.
Time RestoreChecks::draw_moment(const FoundBranch& found) const {
    Time now = core_.now();
    Time first = std::max(found.branch.create_time, now - found.project.history_retention);
    if (auto history = core_.computes.history(found.branch.lineage); history && history->from)
        first = std::max(first, *history->from);
    if (first >= now) return now;
    auto range = static_cast<uint64_t>((now - first).count());
    return first + Span{static_cast<int64_t>(core_.environment.random() % range)};
}

Result<RestoreCheckView> RestoreChecks::check(const RestoreCheckDraft& draft) {
    auto branch = TRY(core_.meta.read(
        [&](Session& session) { return live_branch(session, draft.project, draft.branch); }));
    RestoreCheckView view;
    view.branch = branch_name(branch.project.id, branch.branch.id);
    view.row.lineage = branch.branch.lineage;
    view.row.moment_time = draft.at_time ? *draft.at_time : draw_moment(branch);
    auto drafted = draft_at(draft, view.row.moment_time);
    // One that was drawn may lie before the first moment by as much as clocks and rounding do.
    if (!drafted.ok() && drafted.error().code() == Code::bad_request && !draft.at_time) {
        view.row.moment_time = core_.now();
        drafted = draft_at(draft, view.row.moment_time);
    }
    Found found;
    if (drafted.ok()) {
        view.row.moment_lsn = drafted->row.source_lsn;
        TRY(open_and_look(draft.project, *drafted, branch.project.pg_version, found));
    } else if (drafted.error().code() == Code::data_loss) {
        found.add(drafted.error().text());
    } else {
        return std::move(drafted).error();
    }
    TRY(keep(view, found));
    return view;
}

Result<ScratchBranch> RestoreChecks::draft_at(const RestoreCheckDraft& draft, Time time) {
    BranchSource moment;
    moment.at_time = time;
    return draft_scratch(core_, draft.project, draft.branch, moment, "restore-check-of-");
}

// An error if this says nothing of the moment: another try may do better.
Result<void> RestoreChecks::open_and_look(const std::string& project, ScratchBranch& scratch,
                                          int pg_version, Found& found) {
    TRY(write_scratch(core_, project, std::span(&scratch, 1)));
    {
        std::lock_guard held(open_mutex_);
        open_uid_ = scratch.endpoint_uid;
    }
    auto looked = open_scratch(core_, scratch, pg_version);
    if (looked.ok()) looked = look(scratch, found);
    {
        std::lock_guard held(open_mutex_);
        open_uid_.clear();
    }
    close_scratch(core_, std::span(&scratch, 1));
    if (cancelled_) return error(Code::unavailable, "the server is ending");
    if (looked.ok()) return {};
    switch (looked.error().code()) {
        case Code::unavailable:
        case Code::timed_out:
        case Code::no_space:
        case Code::conflict:
        case Code::bad_request:  // the moment has been let go of meanwhile
            return looked;
        default:
            found.add(looked.error().text());
            return {};
    }
}

// In the metadata and the log.
Result<void> RestoreChecks::keep(RestoreCheckView& view, const Found& found) {
    view.row.check_time = core_.now();
    view.row.relations = found.relations;
    view.row.failure_count = found.failure_count;
    view.row.failures = json_lines(found.failures);
    TRY(core_.meta.write([&](Session& session) -> Result<void> {
        auto before = TRY(meta::get_restore_check(session, view.row.lineage));
        if (before) view.row.good_time = before->good_time;
        if (found.failure_count == 0) view.row.good_time = view.row.check_time;
        return meta::put_restore_check(session, view.row);
    }));
    std::string what =
        fmt::format("restore check of branch {} at {}", view.branch, rfc3339(view.row.moment_time));
    for (const std::string& failure : found.failures) log::error("control: {}: {}", what, failure);
    if (found.failure_count == 0)
        log::info("control: {}: {} tables and indexes are good", what, found.relations);
    return {};
}

Result<void> RestoreChecks::look(const ScratchBranch& scratch, Found& found) {
    const std::string& uid = scratch.endpoint_uid;
    for (const auto& row : TRY(query(uid, "postgres", kDatabases)))
        TRY_CTX(look_at_database(uid, row[0], found), "database {}", row[0]);
    return {};
}

Result<void> RestoreChecks::look_at_database(const std::string& uid, const std::string& database,
                                             Found& found) {
    TRY_CTX(query(uid, database, kInstall), "install amcheck");
    auto relations = TRY(query(uid, database, kRelations));
    for (size_t at = 0; at < relations.size(); at += kRelationsAtOnce) {
        std::string some;
        size_t end = std::min(at + kRelationsAtOnce, relations.size());
        for (size_t i = at; i < end; ++i)
            some += fmt::format("{}({}::oid, {})", i == at ? "" : ", ", relations[i][0],
                                relations[i][1] == "t");
        for (const auto& row : TRY(query(uid, database, look_at(some)))) {
            if (!row[1].empty())
                found.add(fmt::format("{} of database {}: {}", row[0], database, row[1]));
            if (row[2] == "t") ++found.relations;
        }
    }
    return {};
}

Result<std::vector<compute::Row>> RestoreChecks::query(const std::string& uid,
                                                       const std::string& database,
                                                       const std::string& statement) {
    if (cancelled_) return error(Code::unavailable, "the server is ending");
    return core_.computes.query(uid, database, statement);
}

}  // namespace tarn::control
