#include "compute/postgres_config.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tarn::compute {
namespace {

TEST(PostgresConfig, ConnectionsFollowTheServicesTable) {
    const std::pair<double, int> table[] = {{0.5, 104}, {1, 209},   {2, 419},
                                            {3, 629},   {4, 839},   {8, 1678},
                                            {16, 3357}, {32, 4000}, {112, 4000}};
    for (auto [cu, connections] : table) EXPECT_EQ(max_connections(cu), connections) << cu;
}

TEST(PostgresConfig, ASettingCannotWriteAnotherLine) {
    SuperviseSpec spec;
    spec.pg_settings = {{"work_mem", "4MB'\nfsync = off #"}, {"x\nfsync", "off"}};
    auto text = postgresql_conf(spec, 0);
    EXPECT_NE(text.find("work_mem = '4MB'' fsync = off #'"), std::string::npos) << text;
    EXPECT_EQ(text.find("\nfsync"), std::string::npos) << text;
}

// The last value wins: no setting of the endpoint comes behind it.
TEST(PostgresConfig, WhetherTheDiskIsFullIsReadLast) {
    SuperviseSpec spec;
    spec.directory = "/data/endpoints/ep";
    spec.pg_settings = {{"default_transaction_read_only", "off"}};
    EXPECT_TRUE(postgresql_conf(spec, 0).ends_with(
        "include_if_exists = '/data/endpoints/ep/read_only.conf'\n"));
}

TEST(PostgresConfig, PreparedTransactionsOfTheControlFileKeepTheirRoom) {
    SuperviseSpec spec;
    spec.pg_settings = {{"max_prepared_transactions", "5"}};
    EXPECT_EQ(postgresql_conf(spec, 10).find("max_prepared_transactions = '5'"), std::string::npos);
    EXPECT_NE(postgresql_conf(spec, 0).find("max_prepared_transactions = '5'"), std::string::npos);
}

TEST(PostgresConfig, WhatSafetyRestsOnIsOnTheCommandLine) {
    SuperviseSpec spec;
    for (int major : {16, 17, 18}) {
        spec.pg_major = major;
        auto line = command_line(spec);
        auto has = [&](const std::string& word) {
            return std::find(line.begin(), line.end(), word) != line.end();
        };
        for (const char* word :
             {"fsync=on", "full_page_writes=off", "wal_recycle=off", "restart_after_crash=off",
              "wal_sync_method=fdatasync", "archive_mode=off", "debug_io_direct=",
              "restore_command=", "recovery_target=", "recovery_min_apply_delay=0",
              "listen_addresses="})
            EXPECT_TRUE(has(word)) << word;
        EXPECT_EQ(has("io_method=worker"), major >= 18);
        EXPECT_EQ(has("file_copy_method=copy"), major >= 18);
    }
}

}  // namespace
}  // namespace tarn::compute
