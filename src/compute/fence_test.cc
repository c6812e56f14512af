#include "compute/fence.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "compute/layout.h"
#include "sys/files.h"

namespace tarn::compute {
namespace {

class FenceTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/tarn-fence-XXXXXX";
        directory_ = ::mkdtemp(name);
        path_ = directory_ + "/lock";
    }
    void TearDown() override { (void)sys::remove_tree(sys::real_disk(), directory_); }
    std::string directory_, path_;
};

// A process that holds the lock, and an orphan of it that inherited the descriptor.
TEST_F(FenceTest, WhoeverHoldsTheLockIsKilledAndOrphansToo) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    pid_t holder = ::fork();
    if (holder == 0) {
        auto lock = seize_lock(path_, std::chrono::seconds(10));
        pid_t orphan = ::fork();
        if (orphan == 0) {
            (void)!::write(ready[1], "x", 1);
            for (;;) ::pause();
        }
        ::_exit(lock.ok() ? 0 : 1);
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    int status = 0;
    ASSERT_EQ(::waitpid(holder, &status, 0), holder);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(holders(path_).size(), 1u);
    auto lock = seize_lock(path_, std::chrono::seconds(10));
    ASSERT_TRUE(lock.ok()) << lock.error().text();
    EXPECT_TRUE(holders(path_).empty());
}

// In a process of its own: it kills all that this one has, and becomes the parent of orphans.
TEST_F(FenceTest, EveryChildIsKilledAndReapedWhateverItsName) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    pid_t parent = ::fork();
    if (parent == 0) {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1);
        if (::fork() == 0) {
            ::prctl(PR_SET_NAME, ") S 1 (");
            if (::fork() == 0) ::prctl(PR_SET_NAME, "an orphan");
            (void)!::write(ready[1], "x", 1);
            for (;;) ::pause();
        }
        char bytes[2];
        for (char& byte : bytes)
            if (::read(ready[0], &byte, 1) != 1) ::_exit(2);
        kill_children();
        ::_exit(::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(parent, &status, 0), parent);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(FenceTest, RunDirectoriesFitASocketPath) {
    Layout near("/var/lib/tarn");
    EXPECT_EQ(near.run_directory("ep-1"), "/var/lib/tarn/endpoints/ep-1/run");
    Layout far("/" + std::string(100, 'x'));
    EXPECT_TRUE(far.run_directory("ep-1").starts_with("/tmp/tarn-"));
    auto refused = make_run_directory("/" + std::string(100, 'x'), ::getuid());
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), Code::invalid_argument);
}

TEST_F(FenceTest, NamesThatAreNoPathComponentsAreRefused) {
    for (const char* uid : {"", "..", "a/b", "Ep-1", "ep 1", "ep_1"})
        EXPECT_FALSE(check_endpoint_uid(uid).ok()) << uid;
    EXPECT_TRUE(check_endpoint_uid("ep-0123abc").ok());
    for (const char* lineage :
         {"", "1", "000000000000000g", "00000000000A0001", "0000000000000000"})
        EXPECT_FALSE(parse_lineage_id(lineage).ok()) << lineage;
    EXPECT_EQ(*parse_lineage_id("00000000000a0001"), 0xa0001u);
}

}  // namespace
}  // namespace tarn::compute
