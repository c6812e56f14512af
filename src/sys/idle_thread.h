// idle_thread.h: threads that only take what nobody else wants.
#pragma once

namespace tarn::sys {

// The calling thread gets the lowest priority for processors and disks, until it ends. What the
// system refuses is left as it is.
void become_idle();

}  // namespace tarn::sys
