// steps.h: what each kind of operation does outside the metadata, and how it is taken back.
//
// Every function may die at any instruction and be called again from the beginning: each call of
// Computes is idempotent, and a row is erased only after what it names is gone. So a row without
// storage can exist for a while, storage without a row cannot.
#pragma once

#include "control/core.h"
#include "control/origin.h"
#include "control/wake.h"

namespace tarn::control {

class Steps {
  public:
    Steps(Core& core, Wake& wake) : core_(core), wake_(wake) {}

    // Carries the operation out and finishes it. An Error leaves it pending.
    Result<void> perform(const meta::OperationRow& operation);

    // Gives the operation up: notes `why` as its end, then takes back what it began to make.
    Result<void> give_up(const meta::OperationRow& operation, const Error& why);
    // Takes back what an operation began that was given up before. An Error leaves it pending, to
    // be taken back again.
    Result<void> take_back(const meta::OperationRow& operation);

  private:
    Result<void> create_project(const meta::OperationRow& operation);
    Result<void> create_branch(const meta::OperationRow& operation);
    Result<void> create_snapshot(const meta::OperationRow& operation);
    Result<void> purge_snapshot(const meta::OperationRow& operation);
    Result<void> replace_branch(const meta::OperationRow& operation, OperationKind kind);
    Result<void> stop_project(const meta::OperationRow& operation);
    Result<void> stop_branch(const meta::OperationRow& operation);
    Result<void> open_project(const meta::OperationRow& operation);
    Result<void> open_branch(const meta::OperationRow& operation);
    Result<void> purge_project(const meta::OperationRow& operation);
    Result<void> purge_branch(const meta::OperationRow& operation);
    Result<void> update_endpoint(const meta::OperationRow& operation);

    Result<compute::BranchPoint> make_storage(const meta::OperationRow& operation,
                                              const std::string& lineage, const Origin& origin);
    Result<void> open_doors(const std::string& branch_uid);
    Result<void> stop_endpoints(const meta::BranchRow& branch);
    Result<void> stop_endpoint(const meta::BranchRow& branch, const meta::EndpointRow& endpoint);
    Result<void> remove_storage(const meta::BranchRow& branch);
    Result<void> mark_failed(const meta::OperationRow& operation, const Error& why);
    Result<void> finish(const meta::OperationRow& operation);

    Core& core_;
    Wake& wake_;
};

}  // namespace tarn::control
