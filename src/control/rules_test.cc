#include "control/rules.h"

#include <gtest/gtest.h>

#include "control/addresses.h"
#include "control/names.h"

namespace tarn::control {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(Rules, ComputeSizes) {
    struct Case {
        double min, max;
        bool fits;
    };
    const Case cases[] = {
        {0.5, 0.5, true},  {0.5, 16, true},   {1, 1, true},     {8, 16, true},
        {2, 8, true},      {1, 17, true},     {48, 64, true},   {16, 32, true},
        {64, 64, true},    {65, 65, true},    {112, 112, true},  // fixed
        {0.5, 32, false},  {1, 18, false},                       // too wide
        {64, 65, false},   {100, 112, false},                    // ranges above 64
        {113, 113, false}, {0, 1, false},     {-1, 1, false},   {0.25, 1, false},
        {1.5, 2, false},   {8, 2, false},     {1, 1e9, false},  {1, 0.1, false},
    };
    for (const Case& c : cases)
        EXPECT_EQ(check_sizes({c.min, c.max}).ok(), c.fits) << c.min << "-" << c.max;
}

TEST(Rules, OneLimitAloneTakesTheOtherWithIt) {
    auto merged = [](std::optional<double> min, std::optional<double> max) {
        Sizes sizes = merge_sizes({2, 8}, min, max);
        return fmt::format("{}-{}", sizes.min_cu, sizes.max_cu);
    };
    EXPECT_EQ(merged({}, {}), "2-8");
    EXPECT_EQ(merged(4, {}), "4-8");
    EXPECT_EQ(merged(12, {}), "12-12");
    EXPECT_EQ(merged({}, 1), "1-1");
    EXPECT_EQ(merged(9, 3), "9-3");  // both were said: check_sizes refuses
}

TEST(Rules, TooWideARangeSaysWhatIsAllowed) {
    EXPECT_EQ(check_sizes({0.5, 32}).error().message(),
              "the autoscaling range 0.5-32 CU is too wide: autoscaling_limit_max_cu minus "
              "autoscaling_limit_min_cu must not exceed 16 CU.");
}

TEST(Rules, IdleTimes) {
    auto fits = [](Span suspend) { return check_suspend("f", suspend, seconds{60}).ok(); };
    EXPECT_TRUE(fits(kNever));
    EXPECT_TRUE(fits(seconds{60}));
    EXPECT_TRUE(fits(hours{168}));
    EXPECT_FALSE(fits(seconds{59}));
    EXPECT_FALSE(fits(hours{168} + Span{1}));
    EXPECT_FALSE(fits(seconds{-1}));
    EXPECT_TRUE(check_suspend("f", seconds{1}, seconds{0}).ok());
    EXPECT_EQ(
        check_suspend("spec.suspend_timeout_duration", seconds{5}, seconds{60}).error().message(),
        "Field 'spec.suspend_timeout_duration' must be between 60s and 604800s, got '5s'.");
}

TEST(Rules, LifetimesAndRetention) {
    EXPECT_TRUE(check_ttl("spec.ttl", seconds{1}).ok());
    EXPECT_TRUE(check_ttl("spec.ttl", seconds{2592000}).ok());
    EXPECT_FALSE(check_ttl("spec.ttl", seconds{2592001}).ok());
    EXPECT_FALSE(check_ttl("spec.ttl", seconds{0}).ok());
    EXPECT_FALSE(check_ttl("spec.ttl", seconds{-5}).ok());
    EXPECT_TRUE(check_history_retention(seconds{172800}, std::chrono::days{2}).ok());
    EXPECT_TRUE(check_history_retention(seconds{3024000}, std::chrono::days{2}).ok());
    EXPECT_FALSE(check_history_retention(seconds{172799}, std::chrono::days{2}).ok());
    EXPECT_FALSE(check_history_retention(seconds{3024001}, std::chrono::days{2}).ok());
}

TEST(Rules, DisplayNamesCountCharactersNotBytes) {
    EXPECT_FALSE(check_display_name("").ok());
    EXPECT_TRUE(check_display_name(std::string(256, 'x')).ok());
    EXPECT_FALSE(check_display_name(std::string(257, 'x')).ok());
    std::string umlauts;
    for (int i = 0; i < 256; ++i) umlauts += "\u00e4";
    EXPECT_TRUE(check_display_name(umlauts).ok());
}

TEST(Rules, PostgresSettings) {
    auto fits = [](const char* name, const char* value) {
        return check_pg_settings("f", {{name, value}}).ok();
    };
    EXPECT_TRUE(fits("work_mem", "64MB"));
    EXPECT_TRUE(fits("auto_explain.log_min_duration", "0"));
    for (const char* name :
         {"", "Work_Mem", "1x", "a b", "a.b.c", "a.", ".a", "a-b", "a;b", "a=b", "a'b"})
        EXPECT_FALSE(fits(name, "1")) << name;
    // What safety and isolation rest on, and what runs programs.
    for (const char* name : {"fsync",
                             "full_page_writes",
                             "wal_level",
                             "wal_recycle",
                             "wal_init_zero",
                             "io_method",
                             "debug_io_direct",
                             "archive_mode",
                             "archive_command",
                             "archive_library",
                             "reserved_connections",
                             "restart_after_crash",
                             "recovery_init_sync_method",
                             "file_copy_method",
                             "data_directory",
                             "restore_command",
                             "ssl_passphrase_command",
                             "shared_preload_libraries",
                             "dynamic_library_path",
                             "unix_socket_directories",
                             "listen_addresses",
                             "hba_file",
                             "port"})
        EXPECT_FALSE(fits(name, "1")) << name;
    EXPECT_FALSE(fits("work_mem", "1\nfsync = off"));
    EXPECT_FALSE(fits("work_mem", std::string(1025, 'x').c_str()));
}

TEST(Rules, PostgresSettingsAreStoredAsTheyWere) {
    PgSettings settings = {{"a", "quote \" and \\ and \u00e4"}, {"b", ""}};
    EXPECT_EQ(parse_pg_settings(pg_settings_text(settings)), settings);
    EXPECT_TRUE(parse_pg_settings("damaged").empty());
}

TEST(Names, IdsOfNewResources) {
    for (std::string id :
         {std::string("a"), std::string("my-app"), std::string("a1"), std::string(63, 'a')})
        EXPECT_TRUE(check_id("project_id", id).ok()) << id;
    for (std::string id :
         {std::string("A"), std::string("-a"), std::string("a-"), std::string("a_b"),
          std::string("1a"), std::string("a b"), std::string("a/b"), std::string("\u00e4"),
          std::string("a\0b", 3), std::string(".."), std::string(64, 'a')})
        EXPECT_FALSE(check_id("project_id", id).ok()) << id;
    EXPECT_EQ(check_id("project_id", "").error().message(),
              "Field 'project_id' is required, expected non-default value (not \"\")!");
    EXPECT_EQ(check_id("branch_id", "X").error().message(),
              "Field branch_id must match pattern ^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$, got 'X'.");
}

TEST(Names, AreParsedByKind) {
    auto name = parse_name("endpoint", "projects/p/branches/b/endpoints/e", ResourceKind::endpoint);
    ASSERT_TRUE(name.ok());
    EXPECT_EQ(name->project + name->branch + name->leaf, "pbe");
    for (const char* text :
         {"", "x", "projects/p", "projects/p/branches/b", "projects//branches/b/endpoints/e",
          "projects/p/branches/b/endpoints/", "projects/p/branches/b/roles/e",
          "projects/p/branches/b/endpoints/e/x", "/projects/p/branches/b/endpoints/e"})
        EXPECT_FALSE(parse_name("endpoint", text, ResourceKind::endpoint).ok()) << text;
    EXPECT_TRUE(parse_name("f", "projects/p/branches/b", ResourceKind::branch).ok());
    EXPECT_FALSE(parse_name("f", "projects/p/endpoints/b", ResourceKind::branch).ok());
}

TEST(Addresses, BlocksAreChecked) {
    EXPECT_TRUE(AddressBlock::parse("127.64.0.0/10").ok());
    for (const char* text : {"", "127.64.0.0", "127.64.0/10", "127.64.0.256/10", "127.64.0.0/33",
                             "127.64.0.0/7", "127.64.0.0/31", "x", "127.64.0.0/10 ", "10.0.0.0/24"})
        EXPECT_FALSE(AddressBlock::parse(text).ok()) << text;
}

TEST(Addresses, TheFirstLiesInTheBlock) {
    EXPECT_EQ(AddressBlock::parse("127.64.0.0/10")->first(), "127.64.0.1");
    EXPECT_EQ(AddressBlock::parse("127.0.0.64/26")->first(), "127.0.0.64");
}

}  // namespace
}  // namespace tarn::control
