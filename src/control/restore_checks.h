// restore_checks.h: proves that a moment can be restored: opens it as a branch that nobody sees,
// has amcheck look at every table and index of every database, and throws it away.
//
// amcheck finds what no checksum can: an index that does not fit its table, rows that contradict
// the commit log.
//
// Threads: its own one, for the check that is due by the clock; make() from any other. One check at
// a time.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "control/core.h"
#include "control/scratch_branch.h"
#include "meta/checks.h"

namespace tarn::control {

struct RestoreCheckDraft {
    std::string project;
    std::string branch;
    std::optional<Time> at_time;  // else one in its window is drawn
};

struct RestoreCheckView {
    std::string branch;  // its name
    meta::RestoreCheckRow row;
};

class RestoreChecks {
  public:
    explicit RestoreChecks(Core& core) : core_(core) {}
    ~RestoreChecks() { stop(); }

    // Answers what was found, which is kept as well; an error if nothing could be checked.
    // unavailable while another check is made, or the server is about to end.
    Result<RestoreCheckView> make(const RestoreCheckDraft& draft);

    void start();
    // The server is about to end: the check under way ends with `unavailable`, and none begins.
    void cancel();
    void stop();

    // Checks one branch, if that is due.
    Result<void> run_once();

  private:
    struct Found {
        int64_t relations = 0;
        std::vector<std::string> failures;  // the first of them
        int64_t failure_count = 0;
        void add(std::string failure);
    };
    void run(const std::stop_token& stop);
    Result<RestoreCheckView> check(const RestoreCheckDraft& draft);
    Time draw_moment(const FoundBranch& found) const;
    Result<ScratchBranch> draft_at(const RestoreCheckDraft& draft, Time time);
    Result<void> open_and_look(const std::string& project, ScratchBranch& scratch, int pg_version,
                               Found& found);
    Result<void> keep(RestoreCheckView& view, const Found& found);
    Result<void> look(const ScratchBranch& scratch, Found& found);
    Result<void> look_at_database(const std::string& uid, const std::string& database,
                                  Found& found);
    Result<std::vector<compute::Row>> query(const std::string& uid, const std::string& database,
                                            const std::string& statement);

    Core& core_;
    std::jthread thread_;
    std::mutex one_;  // held by the check under way
    std::atomic<bool> cancelled_ = false;
    std::mutex open_mutex_;  // guards what follows
    std::string open_uid_;   // the endpoint that is looked at; "" if none is
};

}  // namespace tarn::control
