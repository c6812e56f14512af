#include "control/names.h"

#include <vector>

namespace tarn::control {

namespace {

constexpr std::string_view kForms[] = {
    "projects/{project_id}",
    "projects/{project_id}/branches/{branch_id}",
    "projects/{project_id}/branches/{branch_id}/endpoints/{endpoint_id}",
    "projects/{project_id}/branches/{branch_id}/roles/{role_id}",
    "projects/{project_id}/branches/{branch_id}/databases/{database_id}",
    "projects/{project_id}/snapshots/{snapshot_id}",
    "projects/{project_id}/branches/{branch_id}/snapshot-schedule"};

constexpr std::string_view kLeaves[] = {"", "", "endpoints", "roles", "databases", "snapshots", ""};

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    for (;;) {
        size_t slash = text.find('/');
        parts.push_back(text.substr(0, slash));
        if (slash == text.npos) return parts;
        text.remove_prefix(slash + 1);
    }
}

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::string project_name(std::string_view project) {
    return fmt::format("projects/{}", project);
}

std::string branch_name(std::string_view project, std::string_view branch) {
    return fmt::format("projects/{}/branches/{}", project, branch);
}

std::string endpoint_name(std::string_view project, std::string_view branch,
                          std::string_view endpoint) {
    return fmt::format("projects/{}/branches/{}/endpoints/{}", project, branch, endpoint);
}

std::string role_name(std::string_view project, std::string_view branch, std::string_view role) {
    return fmt::format("projects/{}/branches/{}/roles/{}", project, branch, role);
}

std::string database_name(std::string_view project, std::string_view branch,
                          std::string_view database) {
    return fmt::format("projects/{}/branches/{}/databases/{}", project, branch, database);
}

std::string snapshot_name(std::string_view project, std::string_view snapshot) {
    return fmt::format("projects/{}/snapshots/{}", project, snapshot);
}

std::string snapshot_schedule_name(std::string_view project, std::string_view branch) {
    return branch_name(project, branch) + "/snapshot-schedule";
}

Result<ResourceName> parse_name(std::string_view field, std::string_view text, ResourceKind kind) {
    if (text.empty())
        return error(Code::invalid_argument,
                     "Field '{}' is required, expected non-default value (not \"\")!", field);
    std::vector<std::string_view> parts = split(text);
    auto level = static_cast<size_t>(kind);
    bool of_project = kind == ResourceKind::branch || kind == ResourceKind::snapshot;
    size_t length = kind == ResourceKind::project ? 2 : of_project ? 4 : 6;
    bool fits = parts.size() == length && parts[0] == "projects";
    fits = fits && (length < 4 || kind == ResourceKind::snapshot || parts[2] == "branches");
    fits = fits && (kLeaves[level].empty() || parts[length - 2] == kLeaves[level]);
    for (size_t i = 1; fits && i < length; i += 2) fits = !parts[i].empty();
    if (!fits)
        return error(Code::invalid_argument, "Field '{}' must have the form {}, got '{}'.", field,
                     kForms[level], text);
    ResourceName name{.kind = kind, .project = std::string(parts[1]), .branch = {}, .leaf = {}};
    if (length >= 4 && kind != ResourceKind::snapshot) name.branch = parts[3];
    if (!kLeaves[level].empty()) name.leaf = parts.back();
    return name;
}

Result<void> check_id(std::string_view field, std::string_view id) {
    if (id.empty())
        return error(Code::invalid_argument,
                     "Field '{}' is required, expected non-default value (not \"\")!", field);
    bool fits = id.size() <= 63 && is_lower(id.front()) && id.back() != '-';
    for (char c : id) fits = fits && (is_lower(c) || is_digit(c) || c == '-');
    if (!fits)
        return error(Code::invalid_argument,
                     "Field {} must match pattern ^[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?$, got '{}'.",
                     field, id.substr(0, 100));
    return {};
}

}  // namespace tarn::control
