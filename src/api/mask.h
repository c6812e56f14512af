// mask.h: update_mask: which of the fields in a body are to be changed.
//
//   "spec"          what the body has; the rest keeps its value
//   "*"             every single-valued field, all of which the body must have
//   "spec.x"        that field, which the body must have; a whole object means what it has of it
//   "spec.group"    the name of a oneof: whichever member the body has; member names work as well
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tarn::api {

// One field that an update may change.
struct Leaf {
    std::string_view path;       // "spec.suspend_timeout_duration"
    bool given = false;          // the body has it
    std::string_view group;      // the oneof it belongs to: "spec.suspension"
    bool is_collection = false;  // a map or list, which "*" does not demand
};

struct MaskRules {
    std::vector<Leaf> leaves;
    std::vector<std::string_view> ignored;    // accepted and without effect
    std::vector<std::string_view> immutable;  // known, but never changed
};

// The paths of the leaves to change; invalid_argument for an unknown path or one the body lacks.
Result<std::set<std::string_view>> select_leaves(std::string_view mask, const MaskRules& rules);

}  // namespace tarn::api
