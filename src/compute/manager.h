// manager.h: the Computes of a real machine: lineages in the page store (lineages.h), and one
// supervisor process for each running endpoint (endpoints.h, endpoint_runner.h).
//
// The manager holds no truth: what is stored says the store, what runs say the supervisors, which
// outlive it. After a restart adopt() finds them again.
//
// Threads: any; calls for one endpoint queue up, others run side by side.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "compute/ballast.h"
#include "compute/computes.h"
#include "compute/endpoint_runner.h"
#include "compute/endpoints.h"
#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/manager_options.h"
#include "compute/postgres_install.h"
#include "compute/spare_keeper.h"
#include "compute/spec_writer.h"
#include "compute/user.h"
#include "compute/wal_compressor.h"
#include "store/lineage.h"

namespace tarn::compute {

class Manager final : public Computes {
  public:
    // Opens or makes the store. Fails, saying what to do, if the data directory or the user is no
    // good.
    static Result<std::unique_ptr<Manager>> open(ManagerOptions options);

    std::vector<int> majors() const override;
    const std::map<int, PostgresInstall>& installs() const { return installs_; }
    const ComputeUser& user() const { return user_; }

    Result<void> create_root(const LineageId& lineage, int pg_major) override;
    Result<BranchPoint> create_branch(const LineageId& lineage, const LineageId& parent,
                                      const std::string& running, const Moment& moment) override;
    Result<void> set_aside(const LineageId& lineage, Time from) override;
    Result<BranchPoint> find_moment(const LineageId& lineage, const Moment& moment) override;
    Result<void> begin_history(const LineageId& lineage) override;
    Result<bool> trim_history(const LineageId& lineage, Time time) override;
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
    Result<pg::PageChanges> page_changes(const std::string& endpoint_uid,
                                         const std::string& other_uid) override;
    void on_exit(std::function<void(const std::string& endpoint_uid)> callback) override;

  private:
    Manager(ManagerOptions options, store::Store store, ComputeUser user,
            std::map<int, PostgresInstall> installs);

    const ManagerOptions options_;
    const Layout layout_;
    store::Store store_;
    const ComputeUser user_;
    const std::map<int, PostgresInstall> installs_;
    const SpecWriter specs_;
    Lineages lineages_;

    std::mutex watching_;  // guards the watch and what it has told
    DiskState disk_told_ = DiskState::enough;
    DiskWatch disk_watch_;
    Ballast ballast_;
    bool ballast_failed_ = false;  // and that was told
    std::mutex checking_;          // guards the directory that settings are checked in

    WalCompressor wal_compressor_;  // from here on: they end before the rest goes
    SpareKeeper spare_keeper_;
    Endpoints endpoints_;
    EndpointRunner runner_;
};

}  // namespace tarn::compute
