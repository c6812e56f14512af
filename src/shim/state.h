// state.h: the one state of the shim in this process, set up before main() and inherited by forks.
#pragma once

#include "store/page_log.h"

namespace tarn::shim {

struct State {
    store::PageLog* log = nullptr;  // null: inert, every call goes to the kernel
    int event_fd = -1;
    bool recovers = false;  // this is the startup process, and it replays WAL
    size_t data_directory_length = 0;
    const char* version_directory = "";  // of in-place tablespaces: "PG_17_202406281"
};

extern State state;

inline bool active() {
    return state.log != nullptr;
}
inline store::PageLog& log() {
    return *state.log;
}
inline store::MapHeader& map() {
    return state.log->map().header();
}

// Wakes the supervisor.
void ring();
// One line on standard error, which is PostgreSQL's log: "tarn shim: <what> <path>: <errno text>".
void report(const char* what, const char* object, int failure);

}  // namespace tarn::shim
