#include "compute/settings_check.h"

#include <gtest/gtest.h>

namespace tarn::compute {
namespace {

// As PostgreSQL 17 prints them; it is asked itself in tests/compute.
TEST(SettingsCheck, TheReasonIsTakenAndNotTheSummary) {
    auto refusal = refusal_in(
        "2026-01-01 00:00:00.000 UTC [7] LOG:  invalid value for parameter "
        "\"work_mem\": \"much\"\n"
        "2026-01-01 00:00:00.000 UTC [7] FATAL:  configuration file \"/x/postgresql.conf\" "
        "contains "
        "errors\n");
    EXPECT_EQ(refusal.message, "invalid value for parameter \"work_mem\": \"much\"");
    EXPECT_EQ(refusal.hint, "");
}

TEST(SettingsCheck, AFatalErrorGoesBeforeALogLine) {
    auto refusal = refusal_in(
        "LOG:  something else\nFATAL:  could not map anonymous shared memory: Cannot allocate "
        "memory\nHINT:  This error usually means too much.\n");
    EXPECT_EQ(refusal.message, "could not map anonymous shared memory: Cannot allocate memory");
    EXPECT_EQ(refusal.hint, "This error usually means too much.");
}

TEST(SettingsCheck, TheGeneratedFileIsNotNamed) {
    auto refusal = refusal_in(
        "LOG:  unrecognized configuration parameter \"x\" in file \"/x/postgresql.conf\" line 3\n");
    EXPECT_EQ(refusal.message, "unrecognized configuration parameter \"x\"");
}

TEST(SettingsCheck, WhateverIsNoRefusalIsNone) {
    EXPECT_EQ(refusal_in("").message, "");
    EXPECT_EQ(refusal_in("postgres: command not found").message, "");
}

}  // namespace
}  // namespace tarn::compute
