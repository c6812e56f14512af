// control.h: the control plane put together: use-cases, and the threads that make wishes true.
//
// API, command line and proxy call the same use-cases; none of them has a rule of its own.
#pragma once

#include <memory>

#include "control/branches.h"
#include "control/core.h"
#include "control/credentials.h"
#include "control/diffs.h"
#include "control/endpoints.h"
#include "control/history_keeper.h"
#include "control/housekeeper.h"
#include "control/identity.h"
#include "control/operations.h"
#include "control/projects.h"
#include "control/reconciler.h"
#include "control/record_keeper.h"
#include "control/restore_checks.h"
#include "control/restores.h"
#include "control/roles.h"
#include "control/scrubber.h"
#include "control/snapshots.h"
#include "control/wake.h"
#include "control/wakers.h"

namespace tarn::control {

class Control {
  public:
    // `meta` and `computes` outlive it.
    static Result<std::unique_ptr<Control>> open(meta::Meta& meta, compute::Computes& computes,
                                                 Environment environment, Options options);
    ~Control() { stop(); }

    // Adopts the running computes, then lets the threads loose.
    Result<void> start();
    void stop();

    // The proxy, before start(); it outlives stop().
    void set_front_door(FrontDoor* door) { core_.front_door = door; }

    Core& core() { return core_; }

  private:
    Control(meta::Meta& meta, compute::Computes& computes, Environment environment,
            Options options);

    Core core_;

  public:
    Wake wake;
    Wakers wakers;
    Identities identities;
    Credentials credentials;
    Projects projects;
    Branches branches;
    Restores restores;
    Snapshots snapshots;
    Diffs diffs;
    RestoreChecks restore_checks;
    Endpoints endpoints;
    Roles roles;
    Databases databases;
    Operations operations;
    Reconciler reconciler;
    Housekeeper housekeeper;
    HistoryKeeper history_keeper;
    RecordKeeper record_keeper;
    Scrubber scrubber;
};

}  // namespace tarn::control
