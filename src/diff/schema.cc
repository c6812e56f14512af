#include "diff/schema.h"

#include <algorithm>
#include <set>

namespace tarn::diff {

namespace {

// Names of tables, columns and so on of `one` that `other` lacks, or has as something else.
std::set<std::string> missing(const Catalog& one, const Catalog& other) {
    std::set<std::string> names;
    for (const auto& [key, object] : one) {
        if (!has_parts(key.rank)) continue;
        auto there = other.find(key);
        bool made_anew = there != other.end() && object.alter.empty() &&
                         there->second.definition != object.definition;
        if (there == other.end() || made_anew) names.insert(key.name);
    }
    return names;
}

SchemaChange change(const ObjectKey& key, Direction direction, std::string ddl) {
    return {kind_name(key.rank), key.name, direction, std::move(ddl)};
}

}  // namespace

std::string_view name(Direction direction) {
    switch (direction) {
        case Direction::added:
            return "added";
        case Direction::removed:
            return "removed";
        case Direction::changed:
            return "changed";
    }
    return "changed";
}

std::vector<SchemaChange> schema_changes(const Catalog& from, const Catalog& to) {
    std::set<std::string> gone = missing(from, to);
    std::set<std::string> come = missing(to, from);
    std::vector<SchemaChange> changes;
    for (const auto& [key, object] : from)
        if (!to.contains(key) && !gone.contains(object.parent) && !object.drop.empty())
            changes.push_back(change(key, Direction::removed, object.drop));
    std::reverse(changes.begin(), changes.end());
    for (const auto& [key, object] : to) {
        auto before = from.find(key);
        bool with_parent = come.contains(object.parent);
        if (with_parent && is_inline(key.rank)) continue;
        if (before == from.end() || with_parent)
            changes.push_back(change(key, Direction::added, object.create));
        else if (before->second.definition != object.definition)
            changes.push_back(change(key, Direction::changed,
                                     !object.alter.empty()
                                         ? object.alter
                                         : before->second.drop + ";\n" + object.create));
    }
    return changes;
}

}  // namespace tarn::diff
