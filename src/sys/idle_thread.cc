#include "sys/idle_thread.h"

#include <sched.h>
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
constexpr int kModestNice = 5;  // each step takes a fifth of what is left

}  // namespace

void become_idle() {
    auto thread = static_cast<id_t>(::syscall(SYS_gettid));
    (void)::setpriority(PRIO_PROCESS, thread, kLowestNice);
    (void)::syscall(SYS_ioprio_set, kWhoProcess, thread, kClassIdle << kClassShift);
}

void become_modest() {
    auto thread = static_cast<id_t>(::syscall(SYS_gettid));
    (void)::setpriority(PRIO_PROCESS, thread, kModestNice);
    sched_param none{};
    (void)::sched_setscheduler(0, SCHED_BATCH, &none);
}

}  // namespace tarn::sys
