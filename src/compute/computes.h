// computes.h: what the control plane may ask of storage and computes.
//
// One interface, so that the control plane is tested without processes and knows nothing of
// lineages, incarnations or sockets. The real one is compute::Manager (manager.h).
//
// Every call is idempotent: asked again, it answers as if it had only been asked once. Calls for
// different endpoints run side by side; concurrent starts of one endpoint share one start.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"
#include "compute/disk_space.h"
#include "pg/page_changes.h"

namespace tarn::compute {

// Names the storage of one branch: 16 lower-case hexadecimal digits, drawn by the control plane.
using LineageId = std::string;

// What a start of an endpoint's PostgreSQL needs to know.
struct ComputeSpec {
    std::string endpoint_uid;  // "ep-...": names its directory and socket, never reused
    LineageId lineage;
    int pg_major = 17;
    double max_cu = 1;                               // sizes max_connections (a start-time setting)
    std::map<std::string, std::string> pg_settings;  // the endpoint's own, already validated
};

enum class ComputeState { stopped, starting, running, stopping, failed };

struct ComputeStatus {
    ComputeState state = ComputeState::stopped;
    std::string reason;            // why it failed, or is what it is; may be empty
    std::string socket_directory;  // where `.s.PGSQL.5432` lies while running
    Time since;
};

// Where a branch begins in its parent's history.
struct BranchPoint {
    Lsn lsn;
    Time time;
};

// A place in a lineage's history. A position inside a record means its beginning. A time means just
// before the first commit or abort, in the order of the WAL, that happened later; where none did,
// the end of the WAL.
struct Newest {};
using Moment = std::variant<Newest, Lsn, Time>;

// What a lineage's history takes, as the last look at it has found.
struct HistoryCost {
    // A restore point that stays because of what was made from it.
    struct Pin {
        Time taken;
        uint64_t bytes = 0;         // that would be free without it: what no other one shows
        std::vector<LineageId> by;  // its own lineage: a restart after a crash
    };
    Time measured;
    std::optional<Time> from;  // when its moments begin; nothing: with itself
    uint64_t restore_points = 0;
    uint64_t version_bytes = 0;  // page versions that the newest restore point does not show
    uint64_t wal_bytes = 0;
    Span replay_max{0};         // worst estimate for a moment between two restore points
    uint64_t pinned_bytes = 0;  // page versions that only restore points show which others pin
    std::vector<Pin> pins;
    std::string failure;  // why nothing is let go of any more; "" if something is
};

// What reading a lineage whole has found.
struct Verified {
    uint64_t bytes = 0;  // that were read; not what was read for another one in the same round
    uint64_t damage_count = 0;
    std::vector<std::string> damages;  // the first of them, a line each
    std::string summary;               // how many, and the newest whole moment
    std::optional<BranchPoint> newest_whole;
};

// How fast a round reads, and whether it is to end.
struct Pace {
    uint64_t bytes_a_second = 0;
    std::function<bool()> stopped;
};

// Reads lineages whole, one after the other, and what they share once. Used by one thread.
class VerifyRound {
  public:
    virtual ~VerifyRound() = default;
    // Nothing if the lineage was removed meanwhile, or is being made. unavailable if the round is
    // to end.
    virtual Result<std::optional<Verified>> verify(const LineageId& lineage) = 0;
};

using Row = std::vector<std::string>;  // columns as text; NULL is ""

class Computes {
  public:
    virtual ~Computes() = default;

    // The majors whose PostgreSQL binaries were found, ascending.
    virtual std::vector<int> majors() const = 0;

    // Makes `lineage` a copy of the template of `pg_major`, with a system identifier of its own: it
    // has the role databricks_superuser (wide grants in place of superuser) and the database
    // databricks_postgres.
    // not_found, naming the way out, if that major is not installed.
    virtual Result<void> create_root(const LineageId& lineage, int pg_major) = 0;
    // Makes `lineage` a copy-on-write child of `parent` as it was at a moment. `running` is the
    // parent's read-write endpoint, "" if it has none running. Copies no pages.
    virtual Result<BranchPoint> create_branch(const LineageId& lineage, const LineageId& parent,
                                              const std::string& running, const Moment& moment) = 0;
    // The lineage is about to take another's place: what that one was from a time until now is not
    // its past, and is refused instead of being taken for what it was made of.
    virtual Result<void> set_aside(const LineageId& lineage, Time from) = 0;
    // Where a moment lies. Before the lineage was branched that is a place in its ancestors'
    // history. bad_request if a position lies ahead, or the moment before the history that is
    // kept.
    virtual Result<BranchPoint> find_moment(const LineageId& lineage, const Moment& moment) = 0;
    // No moment before now can be asked for.
    virtual Result<void> begin_history(const LineageId& lineage) = 0;
    // Lets go of what only moments before `time` need; a compute may be running. Answers whether
    // there is more to do at once: others may have their turn first.
    virtual Result<bool> trim_history(const LineageId& lineage, Time time) = 0;
    // Of a lineage whose history has been trimmed since the server started.
    virtual std::optional<HistoryCost> history(const LineageId& lineage) const = 0;
    // What the lineage it was made from keeps for it, and for others that were made from the same
    // restore point: the bytes of that pin. Nothing if no look has found one yet.
    virtual std::optional<uint64_t> kept_for(const LineageId& lineage) const = 0;
    // Removes the lineage and what only it uses; missing is fine. Children keep what they need.
    virtual Result<void> drop_lineage(const LineageId& lineage) = 0;
    virtual Result<uint64_t> logical_size(const LineageId& lineage) = 0;  // bytes
    // Of the disk that everything lies on.
    virtual DiskSpace disk_space() = 0;
    // Before something is deleted: on a full disk, what was kept back for this goes.
    virtual void make_way_for_removal() = 0;

    // All there are: those that are kept for others too.
    virtual Result<std::vector<LineageId>> lineages() const = 0;
    // Those that hold something and are neither dropped nor among `named`.
    virtual Result<std::vector<LineageId>> unnamed(const std::set<LineageId>& named) const = 0;
    // Read by threads of their own, which only take what nobody else wants.
    virtual std::unique_ptr<VerifyRound> begin_verifying(Pace pace) = 0;

    // Would PostgreSQL start with an endpoint's own settings? invalid_argument, in its words, if
    // not. Touches nothing that runs.
    virtual Result<void> check_settings(int pg_major, double max_cu,
                                        const std::map<std::string, std::string>& settings) = 0;
    // Starts the endpoint's PostgreSQL and answers once it has answered a message.
    virtual Result<ComputeStatus> start(const ComputeSpec& spec) = 0;
    // Fast stop (57P01 to clients), with a last restore point. Stopped already is fine.
    virtual Result<void> stop(const std::string& endpoint_uid) = 0;
    // Kills what runs and removes directory, socket and logs of the endpoint.
    virtual Result<void> remove(const std::string& endpoint_uid) = 0;
    virtual ComputeStatus status(const std::string& endpoint_uid) const = 0;
    // Finds the computes that outlived an earlier server; those not in `known` are stopped and
    // removed.
    virtual Result<void> adopt(const std::vector<ComputeSpec>& known) = 0;

    // The server is about to end: waits for computes end with `unavailable`, nothing is started any
    // more. What runs, or is starting, goes on and is adopted by the next server.
    virtual void let_go() = 0;

    // Runs one statement as the bootstrap superuser over the compute's own socket.
    virtual Result<std::vector<Row>> query(const std::string& endpoint_uid,
                                           const std::string& database,
                                           const std::string& statement) = 0;

    // Which blocks differ between two running computes of one major: asks both for a restore point,
    // and reads only what they do not share. What is written meanwhile counts or does not.
    virtual Result<pg::PageChanges> page_changes(const std::string& endpoint_uid,
                                                 const std::string& other_uid) = 0;

    // Called (from a thread of the implementation) when a compute ended without being asked to.
    virtual void on_exit(std::function<void(const std::string& endpoint_uid)> callback) = 0;
};

}  // namespace tarn::compute
