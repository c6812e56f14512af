// manager.h: the Computes of a real machine: lineages in the page store, one supervisor process for
// each running endpoint.
//
// The manager holds no truth: what is stored says the store, what runs say the supervisors, which
// outlive it. After a restart adopt() finds them again.
//
// Threads: any; calls for one endpoint queue up, others run side by side.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "compute/ballast.h"
#include "compute/channel.h"
#include "compute/computes.h"
#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/postgres_install.h"
#include "compute/spare_keeper.h"
#include "compute/spec.h"
#include "compute/user.h"
#include "compute/wal_compressor.h"
#include "store/lineage.h"
#include "sys/descriptor.h"

namespace tarn::compute {

struct ManagerOptions {
    std::string data_directory;  // absolute
    // Where PostgreSQL may be, in order (see find_postgres).
    std::vector<std::string> postgres_directories;
    std::string shim;  // the page shim's library, absolute
    // The program that becomes a supervisor, and its first arguments; the specification's path is
    // added.
    std::vector<std::string> supervisor_command;
    std::string user;  // that computes run as; only for a server that is root
    std::string shared_buffers = "256MB";
    std::chrono::milliseconds compaction_calm{60'000};  // see Compactor::begin()
    HistoryLimits history;
    DiskLimits disk;
    Span wal_compression_round{
        std::chrono::seconds{15}};  // how often WAL to compress is looked for
};

class Manager final : public Computes {
  public:
    // Opens or makes the store. Fails, saying what to do, if the data directory or the user is no
    // good.
    static Result<std::unique_ptr<Manager>> open(ManagerOptions options);
    ~Manager() override;

    std::vector<int> majors() const override;
    const std::map<int, PostgresInstall>& installs() const { return installs_; }
    const ComputeUser& user() const { return user_; }

    Result<void> create_root(const LineageId& lineage, int pg_major) override;
    Result<BranchPoint> create_branch(const LineageId& lineage, const LineageId& parent,
                                      const std::string& running, const Moment& moment) override;
    Result<void> set_aside(const LineageId& lineage, Time from) override;
    Result<BranchPoint> find_moment(const LineageId& lineage, const Moment& moment) override;
    Result<void> begin_history(const LineageId& lineage) override;
    Result<void> trim_history(const LineageId& lineage, Time time) override;
    std::optional<HistoryCost> history(const LineageId& lineage) const override;
    std::optional<uint64_t> kept_for(const LineageId& lineage) const override;
    Result<void> drop_lineage(const LineageId& lineage) override;
    Result<uint64_t> logical_size(const LineageId& lineage) override;
    DiskSpace disk_space() override;
    void make_way_for_removal() override;
    Result<std::vector<LineageId>> lineages() const override;
    Result<std::vector<LineageId>> unnamed(const std::set<LineageId>& named) const override;
    std::unique_ptr<VerifyRound> begin_verifying(Pace pace) override;

    Result<void> check_settings(int pg_major, double max_cu,
                                const std::map<std::string, std::string>& settings) override;
    Result<ComputeStatus> start(const ComputeSpec& spec) override;
    Result<void> stop(const std::string& endpoint_uid) override;
    Result<void> remove(const std::string& endpoint_uid) override;
    ComputeStatus status(const std::string& endpoint_uid) const override;
    void let_go() override;
    Result<void> adopt(const std::vector<ComputeSpec>& known) override;
    Result<std::vector<Row>> query(const std::string& endpoint_uid, const std::string& database,
                                   const std::string& statement) override;
    Result<PageChanges> compare(const std::string& endpoint_uid,
                                const std::string& other_uid) override;
    void on_exit(std::function<void(const std::string& endpoint_uid)> callback) override;

  private:
    struct Endpoint;

    Manager(ManagerOptions options, store::Store store, ComputeUser user);
    std::shared_ptr<Endpoint> endpoint(const std::string& uid) const;
    std::shared_ptr<Endpoint> endpoint_or_new(const std::string& uid);
    Result<void> claim_lineage(Endpoint& endpoint, uint64_t lineage);
    Result<SuperviseSpec> supervise_spec(const ComputeSpec& spec, uint64_t lineage) const;
    Result<std::string> write_spec(const ComputeSpec& spec, uint64_t lineage);
    Result<ComputeStatus> start_locked(Endpoint& endpoint, const ComputeSpec& spec);
    Result<void> stop_locked(Endpoint& endpoint, Order how);
    std::shared_ptr<Channel> attach(const std::shared_ptr<Endpoint>& endpoint,
                                    sys::Descriptor socket, int pid);
    Result<void> end_orphans(const std::string& endpoint_uid, uint64_t lineage);
    void supervisor_ended(Endpoint& endpoint);
    void adopt_one(const std::string& uid, const ComputeSpec* known);
    Result<uint64_t> seal_now(const std::string& endpoint_uid);
    Result<void> checkpoint_if_far(uint64_t lineage, const std::string& running);

    ManagerOptions options_;
    Layout layout_;
    store::Store store_;
    ComputeUser user_;
    std::map<int, PostgresInstall> installs_;
    Lineages lineages_;

    mutable std::mutex mutex_;  // guards the two below
    std::map<std::string, std::shared_ptr<Endpoint>> endpoints_;
    std::function<void(const std::string&)> exit_callback_;
    std::atomic<bool> letting_go_ = false;
    std::mutex watching_;  // guards the watch and what it has told
    DiskState disk_told_ = DiskState::enough;
    DiskWatch disk_watch_;
    Ballast ballast_;
    bool ballast_failed_ = false;  // and that was told
    std::mutex checking_;          // guards the directory that settings are checked in

    std::unique_ptr<WalCompressor> wal_compressor_;  // last, both: they end before the rest goes
    std::unique_ptr<SpareKeeper> spare_keeper_;
};

}  // namespace tarn::compute
