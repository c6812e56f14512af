// world.h: a data directory with a Manager on it, for tests that run whole computes. The test
// program is its own supervisor: started with `supervise <spec>` it becomes one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "compute/manager.h"

namespace tarn::compute::testing {

#define ASSERT_OK(expression)                                      \
    do {                                                           \
        const auto& assert_ok_ = (expression);                     \
        ASSERT_TRUE(assert_ok_.ok()) << assert_ok_.error().text(); \
    } while (0)

// Parameter: the major version. Skips where that PostgreSQL is not installed.
class ComputeTest : public ::testing::TestWithParam<int> {
  protected:
    void SetUp() override;
    void TearDown() override;

    // A second server after the first one's end: computes that run are left running.
    void restart_server();
    // As restart_server(), on another data directory, which is left when the test ends.
    void move_to(const std::string& data_directory);
    ComputeSpec spec(const std::string& uid, const LineageId& lineage) const;
    // A project's root lineage with one running endpoint `ep-main`.
    void start_project();
    // The only value of a query; a failed query fails the test and answers its text.
    std::string value(const std::string& uid, const std::string& sql,
                      const std::string& database = "databricks_postgres");
    // Processes that have the lineage open: supervisor, postmaster and its children.
    std::vector<pid_t> processes(const LineageId& lineage) const;
    // All of them killed, and nothing left of them: the lineage's lock is free, the manager knows.
    void kill_compute(const std::string& uid, const LineageId& lineage);
    std::string log_of(const std::string& uid) const;

    std::string directory_;
    std::unique_ptr<Manager> manager_;
    static constexpr const char* kRoot = "00000000000a0001";
    static constexpr const char* kBranch = "00000000000a0002";

  private:
    ManagerOptions options_;
};

}  // namespace tarn::compute::testing
