#include "compute/postgres_config.h"

#include <algorithm>
#include <cmath>

namespace tarn::compute {

int max_connections(double max_cu) {
    // The service's table is 209.83 a CU, rounded down, up to 4000.
    return std::clamp(static_cast<int>(std::floor(209.83 * max_cu)), 20, 4000);
}

std::string quoted_setting(const std::string& value) {
    std::string text = "'";
    for (char c : value) {
        if (c == '\'' || c == '\\') text += c;
        text += c == '\n' || c == '\r' || c == '\0' ? ' ' : c;
    }
    return text + "'";
}

std::string postgresql_conf(const SuperviseSpec& spec, uint32_t least_prepared_transactions) {
    std::string text =
        "# Made by Tarn at each start; edits are lost. The settings that safety rests on are on "
        "the\n"
        "# command line.\n";
    auto set = [&text](std::string_view name, const std::string& value) {
        text += fmt::format("{} = {}\n", name, quoted_setting(value));
    };
    set("max_connections", std::to_string(max_connections(spec.max_cu)));
    set("shared_buffers", spec.shared_buffers);
    set("max_prepared_transactions", std::to_string(least_prepared_transactions));
    set("checkpoint_timeout", "5min");
    set("max_wal_size", "1GB");
    set("min_wal_size", "32MB");
    set("log_checkpoints", "off");  // they come often, and restore points tell of them
    set("log_line_prefix", "%m [%p] %q%u@%d ");
    set("log_timezone", "UTC");
    set("timezone", "UTC");
    set("datestyle", "iso, mdy");
    set("default_text_search_config", "pg_catalog.english");
    set("password_encryption", "scram-sha-256");
    text += "# The endpoint's own settings.\n";
    for (const auto& [name, value] : spec.pg_settings) {
        bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '.';
        });
        if (!plain) continue;  // validated by the control plane; never a way to write other lines
        if (name == "max_prepared_transactions" &&
            std::atoi(value.c_str()) < static_cast<int>(least_prepared_transactions))
            continue;
        set(name, value);
    }
    text += "# While the disk is nearly full.\ninclude_if_exists = " +
            quoted_setting(spec.read_only_conf()) + "\n";
    return text;
}

std::string pg_hba_conf() {
    return "# Only the server reaches this socket: its directory is private to the compute's "
           "user.\n"
           "local all all trust\n"
           "local replication all trust\n";
}

std::vector<std::string> command_line(const SuperviseSpec& spec) {
    std::vector<std::string> line{spec.bin_directory + "/postgres", "-D", spec.pgdata()};
    auto set = [&line](const std::string& setting) {
        line.emplace_back("-c");
        line.push_back(setting);
    };
    set("listen_addresses=");
    set("port=5432");
    set("unix_socket_directories=" + spec.run_directory);
    set("unix_socket_permissions=0700");
    set("fsync=on");
    set("full_page_writes=off");  // pages in the store are never torn
    set("wal_level=replica");
    set("wal_sync_method=fdatasync");
    set("wal_recycle=off");  // a recycled segment would be overwritten under its links
    set("wal_init_zero=on");
    set("archive_mode=off");
    set("data_sync_retry=off");
    set("ignore_invalid_pages=off");
    set("restart_after_crash=off");
    set("recovery_init_sync_method=syncfs");
    set("debug_io_direct=");
    if (spec.pg_major >= 18) {
        set("io_method=worker");
        set("file_copy_method=copy");
    }
    // The start from a restore point runs as archive recovery: nothing may steer it.
    set("hot_standby=off");
    for (const char* name :
         {"restore_command", "recovery_end_command", "archive_cleanup_command", "primary_conninfo",
          "primary_slot_name", "recovery_target", "recovery_target_lsn", "recovery_target_name",
          "recovery_target_time", "recovery_target_xid"})
        set(std::string(name) + "=");
    set("recovery_target_timeline=latest");
    set("recovery_min_apply_delay=0");
    set("logging_collector=off");
    set("log_destination=stderr");
    return line;
}

}  // namespace tarn::compute
