#include "sys/idle_thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tarn::sys {

namespace {

// Of <linux/ioprio.h>, which not every machine has.
constexpr int kWhoProcess = 1;
constexpr int kClassIdle = 3;
constexpr int kClassShift = 13;
constexpr int kLowestNice = 19;

}  // namespace

void become_idle() {
    auto thread = static_cast<id_t>(::syscall(SYS_gettid));
    (void)::setpriority(PRIO_PROCESS, thread, kLowestNice);
    (void)::syscall(SYS_ioprio_set, kWhoProcess, thread, kClassIdle << kClassShift);
}

}  // namespace tarn::sys
