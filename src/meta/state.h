// state.h: the states that projects and branches go through.
//
//   creating -> ready      made
//   creating -> purging    could not be made
//   ready -> deleted       deleted, may be undeleted
//   deleted -> ready       undeleted
//   ready, deleted -> purging -> (row gone)
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::meta {

enum class State : uint8_t { creating, ready, deleted, purging };

inline std::string_view name(State state) {
    constexpr std::string_view names[] = {"creating", "ready", "deleted", "purging"};
    return names[static_cast<size_t>(state)];
}

// The schema admits no other word than these four.
inline State state_of(std::string_view text) {
    for (State state : {State::creating, State::ready, State::deleted})
        if (name(state) == text) return state;
    return State::purging;
}

}  // namespace tarn::meta
