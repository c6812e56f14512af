#include "compute/spare_keeper.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "compute/spares.h"

namespace tarn::compute {

namespace {

constexpr std::chrono::seconds kCalm{2};  // without a start, before spares are made

}  // namespace

SpareKeeper::SpareKeeper(const store::Store& store, std::string spares, const ComputeUser& user,
                         std::vector<int> majors)
    : store_(store),
      spares_(std::move(spares)),
      user_(user),
      majors_(std::move(majors)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void SpareKeeper::fill_up() {
    std::lock_guard held(mutex_);
    low_ = true;
    wanted_.notify_all();
}

void SpareKeeper::run(const std::stop_token& stop) {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 10);
    ActAs acting(user_);
    for (;;) {
        for (int major : majors_)
            if (auto filled = fill_spares(store_, spares_, major); !filled)
                log::warn("compute: spare data directories: {}", filled.error().text());
        std::unique_lock held(mutex_);
        auto low = [this] { return std::exchange(low_, false); };
        if (!wanted_.wait(held, stop, low)) return;
        // Whoever starts has the disk to himself.
        while (wanted_.wait_for(held, stop, kCalm, low)) continue;
    }
}

}  // namespace tarn::compute
