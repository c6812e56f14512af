#include "control/control.h"

#include "base/log.h"
#include "control/unnamed.h"

namespace tarn::control {

Control::Control(meta::Meta& meta, compute::Computes& computes, Environment environment,
                 Options options)
    : core_{.meta = meta,
            .computes = computes,
            .environment = std::move(environment),
            .options = std::move(options),
            .board = {},
            .lineages = {}},
      wake(core_),
      wakers(wake),
      identities(core_),
      credentials(core_),
      projects(core_, wake),
      branches(core_),
      restores(core_),
      snapshots(core_),
      diffs(core_),
      restore_checks(core_),
      endpoints(core_, wake),
      roles(core_),
      databases(core_),
      operations(core_, projects, branches, endpoints, snapshots),
      reconciler(core_, wake),
      housekeeper(core_, wake, wakers, projects, branches, snapshots),
      history_keeper(core_, snapshots),
      record_keeper(core_.meta, core_.options.records_directory, core_.environment.now),
      scrubber(core_) {}

Result<std::unique_ptr<Control>> Control::open(meta::Meta& meta, compute::Computes& computes,
                                               Environment environment, Options options) {
    std::unique_ptr<Control> control(
        new Control(meta, computes, std::move(environment), std::move(options)));
    TRY(control->credentials.open());
    return control;
}

Result<void> Control::start() {
    TRY(record_keeper.start());
    TRY(wake.adopt());
    if (auto told = tell_unnamed(core_); !told.ok())
        log::warn("control: look for storage without a branch: {}", told.error().text());
    TRY(diffs.end_leftovers());
    reconciler.start(core_.options.reconcile_threads);
    housekeeper.start();
    history_keeper.start();
    scrubber.start();
    restore_checks.start();
    return {};
}

void Control::stop() {
    core_.board.close();
    reconciler.request_stop();
    restore_checks.cancel();
    core_.computes.let_go();  // else a start that hangs would hold up the end
    housekeeper.stop();
    history_keeper.stop();
    scrubber.stop();
    restore_checks.stop();
    reconciler.stop();
    wakers.stop();
    record_keeper.stop();
    core_.computes.on_exit([](const std::string&) {});
}

}  // namespace tarn::control
