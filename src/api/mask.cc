#include "api/mask.h"

#include <algorithm>

namespace tarn::api {

namespace {

std::string_view trim(std::string_view text) {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

bool is_below(std::string_view path, std::string_view ancestor) {
    return path.size() > ancestor.size() && path.starts_with(ancestor) &&
           path[ancestor.size()] == '.';
}

Error not_provided(std::string_view path) {
    return error(Code::invalid_argument, "Field '{}' is in update_mask but not provided in request",
                 path);
}

// Every field that stands alone, and one member of each oneof.
Result<void> demand_all(const MaskRules& rules) {
    for (const Leaf& leaf : rules.leaves) {
        if (leaf.given || leaf.is_collection) continue;
        bool other_member = std::ranges::any_of(rules.leaves, [&](const Leaf& other) {
            return other.given && !leaf.group.empty() && other.group == leaf.group;
        });
        if (!other_member) return not_provided(leaf.group.empty() ? leaf.path : leaf.group);
    }
    return {};
}

Result<void> select(std::string_view path, const MaskRules& rules,
                    std::set<std::string_view>& chosen) {
    if (std::ranges::find(rules.ignored, path) != rules.ignored.end()) return {};
    if (std::ranges::find(rules.immutable, path) != rules.immutable.end())
        return error(Code::invalid_argument, "Field '{}' cannot be updated", path);
    if (path == "*") TRY(demand_all(rules));
    bool lenient = path == "*" || path == "spec";
    bool known = lenient;
    bool given = lenient;
    for (const Leaf& leaf : rules.leaves) {
        bool meant = lenient || leaf.path == path || (leaf.group == path && !path.empty()) ||
                     is_below(leaf.path, path);
        known = known || meant;
        if (!meant || !leaf.given) continue;
        given = true;
        chosen.insert(leaf.path);
    }
    if (!known)
        return error(Code::invalid_argument, "Unknown field path in update_mask: '{}'",
                     path.substr(0, 200));
    if (!given) return not_provided(path);
    return {};
}

}  // namespace

Result<std::set<std::string_view>> select_leaves(std::string_view mask, const MaskRules& rules) {
    if (trim(mask).empty())
        return error(Code::invalid_argument,
                     "Field 'update_mask' is required, expected non-default value (not \"\")!");
    std::set<std::string_view> chosen;
    for (;;) {
        size_t comma = mask.find(',');
        TRY(select(trim(mask.substr(0, comma)), rules, chosen));
        if (comma == mask.npos) return chosen;
        mask.remove_prefix(comma + 1);
    }
}

}  // namespace tarn::api
