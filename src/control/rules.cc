#include "control/rules.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace tarn::control {

namespace {

using std::chrono::days;
using std::chrono::seconds;

constexpr double kLeastCu = 0.5;
constexpr double kAutoscalingMaxCu = 64;
constexpr double kMaxCu = 112;
constexpr double kMaxSpreadCu = 16;
constexpr size_t kMaxPgSettings = 200;
constexpr size_t kMaxPgSettingBytes = 1024;

Result<void> check_size(std::string_view field, double cu) {
    bool known = cu == kLeastCu || (cu >= 1 && cu <= kMaxCu && cu == std::floor(cu));
    if (!known)
        return error(Code::invalid_argument,
                     "Field '{}' must be 0.5 or a whole number from 1 to 112, got {}.", field, cu);
    return {};
}

// Settings that safety, isolation or the way to the compute rest on, and those that run programs.
constexpr std::string_view kReservedSettings[] = {"allow_alter_system",
                                                  "allow_in_place_tablespaces",
                                                  "bonjour",
                                                  "cluster_name",
                                                  "config_file",
                                                  "data_directory",
                                                  "data_sync_retry",
                                                  "debug_io_direct",
                                                  "dynamic_library_path",
                                                  "dynamic_shared_memory_type",
                                                  "event_source",
                                                  "extension_control_path",
                                                  "external_pid_file",
                                                  "file_copy_method",
                                                  "fsync",
                                                  "full_page_writes",
                                                  "hba_file",
                                                  "hot_standby",
                                                  "ident_file",
                                                  "include",
                                                  "include_dir",
                                                  "include_if_exists",
                                                  "io_method",
                                                  "jit_provider",
                                                  "listen_addresses",
                                                  "local_preload_libraries",
                                                  "logging_collector",
                                                  "log_destination",
                                                  "log_directory",
                                                  "log_filename",
                                                  "log_file_mode",
                                                  "max_connections",
                                                  "max_wal_senders",
                                                  "password_encryption",
                                                  "port",
                                                  "post_auth_delay",
                                                  "pre_auth_delay",
                                                  "primary_conninfo",
                                                  "primary_slot_name",
                                                  "promote_trigger_file",
                                                  "reserved_connections",
                                                  "restart_after_crash",
                                                  "restore_command",
                                                  "role",
                                                  "session_authorization",
                                                  "session_preload_libraries",
                                                  "shared_buffers",
                                                  "shared_memory_type",
                                                  "shared_preload_libraries",
                                                  "summarize_wal",
                                                  "superuser_reserved_connections",
                                                  "sync_replication_slots",
                                                  "synchronous_standby_names",
                                                  "temp_tablespaces",
                                                  "default_tablespace",
                                                  "wal_consistency_checking",
                                                  "wal_init_zero",
                                                  "wal_level",
                                                  "wal_recycle",
                                                  "wal_sync_method",
                                                  "zero_damaged_pages",
                                                  "ignore_checksum_failure",
                                                  "ignore_invalid_pages",
                                                  "ignore_system_indexes"};
constexpr std::string_view kReservedPrefixes[] = {"archive_", "recovery_", "ssl",   "unix_socket_",
                                                  "krb_",     "debug_",    "syslog"};

bool is_reserved(std::string_view name) {
    for (std::string_view prefix : kReservedPrefixes)
        if (name.starts_with(prefix)) return true;
    for (std::string_view reserved : kReservedSettings)
        if (name == reserved) return true;
    return false;
}

// One or two identifiers, as in "work_mem" and "auto_explain.log_min_duration".
bool is_setting_name(std::string_view name) {
    int dots = 0;
    bool at_start = true;
    for (char c : name) {
        if (c == '.') {
            if (at_start || ++dots > 1) return false;
            at_start = true;
            continue;
        }
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(digit && !at_start)) return false;
        at_start = false;
    }
    return !at_start && name.size() <= 128;
}

}  // namespace

Result<void> check_sizes(Sizes sizes) {
    TRY(check_size("spec.autoscaling_limit_min_cu", sizes.min_cu));
    TRY(check_size("spec.autoscaling_limit_max_cu", sizes.max_cu));
    if (sizes.min_cu > sizes.max_cu)
        return error(Code::invalid_argument,
                     "autoscaling_limit_min_cu ({}) must not be greater than "
                     "autoscaling_limit_max_cu ({}).",
                     sizes.min_cu, sizes.max_cu);
    if (sizes.max_cu > kAutoscalingMaxCu && sizes.min_cu != sizes.max_cu)
        return error(Code::invalid_argument,
                     "a compute above {} CU has a fixed size: autoscaling_limit_min_cu ({}) must "
                     "equal autoscaling_limit_max_cu ({}).",
                     kAutoscalingMaxCu, sizes.min_cu, sizes.max_cu);
    if (sizes.max_cu - sizes.min_cu > kMaxSpreadCu)
        return error(Code::invalid_argument,
                     "the autoscaling range {}-{} CU is too wide: autoscaling_limit_max_cu minus "
                     "autoscaling_limit_min_cu must not exceed {} CU.",
                     sizes.min_cu, sizes.max_cu, kMaxSpreadCu);
    return {};
}

Sizes merge_sizes(Sizes base, std::optional<double> min_cu, std::optional<double> max_cu) {
    Sizes merged{min_cu.value_or(base.min_cu), max_cu.value_or(base.max_cu)};
    if (min_cu && !max_cu) merged.max_cu = std::max(merged.max_cu, merged.min_cu);
    if (max_cu && !min_cu) merged.min_cu = std::min(merged.min_cu, merged.max_cu);
    return merged;
}

Result<void> check_suspend(std::string_view field, Span suspend, Span least) {
    if (suspend == kNever || (suspend >= least && suspend <= days{7})) return {};
    return error(Code::invalid_argument, "Field '{}' must be between {} and 604800s, got '{}'.",
                 field, duration_text(least), duration_text(suspend));
}

Result<void> check_history_retention(Span retention, Span least) {
    if (retention >= least && retention <= days{35}) return {};
    return error(
        Code::invalid_argument,
        "Field 'spec.history_retention_duration' must be between {} and 3024000s, got '{}'.",
        duration_text(least), duration_text(retention));
}

Result<void> check_display_name(std::string_view name) {
    size_t characters = 0;
    for (char c : name) characters += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (characters >= 1 && characters <= 256) return {};
    return error(Code::invalid_argument,
                 "Field 'spec.display_name' must have 1 to 256 characters, got {}.", characters);
}

Result<void> check_ttl(std::string_view field, Span ttl) {
    if (ttl > Span{0} && ttl <= days{30}) return {};
    return error(Code::invalid_argument,
                 "Field '{}' must be more than 0s and at most 2592000s (30 days), got '{}'.", field,
                 duration_text(ttl));
}

Result<void> check_pg_settings(std::string_view field, const PgSettings& settings) {
    if (settings.size() > kMaxPgSettings)
        return error(Code::invalid_argument, "Field '{}' must have at most {} settings, got {}.",
                     field, kMaxPgSettings, settings.size());
    for (const auto& [name, value] : settings) {
        if (!is_setting_name(name))
            return error(Code::invalid_argument,
                         "Field '{}': '{}' is no name of a Postgres setting; expected lower case, "
                         "such as work_mem.",
                         field, name.substr(0, 100));
        if (is_reserved(name))
            return error(Code::invalid_argument,
                         "Field '{}': the Postgres setting '{}' is managed by the platform.", field,
                         name);
        bool printable = value.size() <= kMaxPgSettingBytes;
        for (char c : value) printable = printable && static_cast<unsigned char>(c) >= 0x20;
        if (!printable)
            return error(Code::invalid_argument,
                         "Field '{}': the value of '{}' must be one line of at most {} bytes.",
                         field, name, kMaxPgSettingBytes);
    }
    return {};
}

std::string pg_settings_text(const PgSettings& settings) {
    // A value that is no UTF-8 cannot come from JSON; replaced rather than thrown about.
    return nlohmann::json(settings).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

PgSettings parse_pg_settings(std::string_view text) {
    PgSettings settings;
    auto parsed = nlohmann::json::parse(text, nullptr, false);
    if (!parsed.is_object()) return settings;
    for (const auto& [name, value] : parsed.items())
        if (value.is_string()) settings[name] = value.get<std::string>();
    return settings;
}

}  // namespace tarn::control
