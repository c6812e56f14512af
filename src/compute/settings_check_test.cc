#include "compute/settings_check.h"

#include <gtest/gtest.h>

namespace tarn::compute {
namespace {

// As PostgreSQL 17 prints them; it is asked itself in tests/compute.
TEST(SettingsCheck, TheReasonIsTakenAndNotTheSummary) {
    auto complaint = complaint_in(
        "postgres exited with 1: 2026-01-01 00:00:00.000 UTC [7] LOG:  invalid value for parameter "
        "\"work_mem\": \"much\"\n"
        "2026-01-01 00:00:00.000 UTC [7] FATAL:  configuration file \"/x/postgresql.conf\" "
        "contains "
        "errors\n");
    EXPECT_EQ(complaint.message, "invalid value for parameter \"work_mem\": \"much\"");
    EXPECT_EQ(complaint.hint, "");
}

TEST(SettingsCheck, AFatalErrorGoesBeforeALogLine) {
    auto complaint = complaint_in(
        "LOG:  something else\nFATAL:  could not map anonymous shared memory: Cannot allocate "
        "memory\nHINT:  This error usually means too much.\n");
    EXPECT_EQ(complaint.message, "could not map anonymous shared memory: Cannot allocate memory");
    EXPECT_EQ(complaint.hint, "This error usually means too much.");
}

TEST(SettingsCheck, TheGeneratedFileIsNotNamed) {
    auto complaint = complaint_in(
        "LOG:  unrecognized configuration parameter \"x\" in file \"/x/postgresql.conf\" line 3\n");
    EXPECT_EQ(complaint.message, "unrecognized configuration parameter \"x\"");
}

TEST(SettingsCheck, WhateverIsNoComplaintIsNone) {
    EXPECT_EQ(complaint_in("").message, "");
    EXPECT_EQ(complaint_in("postgres: command not found").message, "");
}

}  // namespace
}  // namespace tarn::compute
