// idle_thread.h: threads that only take what nobody else wants, or less than others.
#pragma once

namespace tarn::sys {

// The calling thread gets the lowest priority for processors and disks, until it ends. What the
// system refuses is left as it is.
void become_idle();

// The calling thread waits for processors rather than others do, and interrupts nobody, but is sure
// of a share: about a third of what a thread of ordinary priority gets.
void become_modest();

}  // namespace tarn::sys
