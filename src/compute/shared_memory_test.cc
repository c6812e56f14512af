#include "compute/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/bytes.h"
#include "sys/files.h"

namespace tarn::compute {
namespace {

// A segment and a data directory as a killed PostgreSQL leaves them; the real thing is killed in
// tests/compute and tests/crash. Here: what must not be touched.
class SharedMemoryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/tarn-shared-memory-XXXXXX";
        pgdata_ = ::mkdtemp(name);
        struct stat status {};
        ASSERT_EQ(::stat(pgdata_.c_str(), &status), 0);
        id_ = ::shmget(IPC_PRIVATE, 56, IPC_CREAT | 0600);
        ASSERT_GE(id_, 0);
        char* header = attach();
        put(header, 0, int32_t{679834894});
        put(header, 40, static_cast<uint64_t>(status.st_dev));
        put(header, 48, static_cast<uint64_t>(status.st_ino));
        ::shmdt(header);
        name_segment(IPC_PRIVATE, id_);
    }
    void TearDown() override {
        ::shmctl(id_, IPC_RMID, nullptr);
        std::filesystem::remove_all(pgdata_);
    }
    char* attach() { return static_cast<char*>(::shmat(id_, nullptr, 0)); }
    void name_segment(int key, int id) {
        auto text = fmt::format("1\n{}\n0\n5432\n/tmp\n\n{:9} {:9}\nready   \n", pgdata_, key, id);
        ASSERT_TRUE(sys::write_scratch(sys::real_disk(), pgdata_ + "/postmaster.pid", text).ok());
    }
    bool is_there() {
        struct shmid_ds status {};
        return ::shmctl(id_, IPC_STAT, &status) == 0;
    }
    std::string pgdata_;
    int id_ = -1;
};

TEST_F(SharedMemoryTest, TheSegmentOfADeadComputeGoes) {
    remove_shared_memory(pgdata_);
    EXPECT_FALSE(is_there());
    remove_shared_memory(pgdata_);  // again is fine
}

TEST_F(SharedMemoryTest, ASegmentThatSomebodyUsesStays) {
    char* header = attach();
    remove_shared_memory(pgdata_);
    EXPECT_TRUE(is_there());
    ::shmdt(header);
}

TEST_F(SharedMemoryTest, ASegmentOfAnotherDirectoryStays) {
    char* header = attach();
    header[48] ^= 1;
    ::shmdt(header);
    remove_shared_memory(pgdata_);
    EXPECT_TRUE(is_there());
}

TEST_F(SharedMemoryTest, ASegmentThatIsNoPostgresStays) {
    char* header = attach();
    header[0] ^= 1;
    ::shmdt(header);
    remove_shared_memory(pgdata_);
    EXPECT_TRUE(is_there());
}

TEST_F(SharedMemoryTest, ANumberThatWasGivenToAnotherKeySinceStays) {
    name_segment(4711, id_);
    remove_shared_memory(pgdata_);
    EXPECT_TRUE(is_there());
}

TEST_F(SharedMemoryTest, DynamicSegmentsThatTheListNamesGo) {
    // Even, as PostgreSQL's are, and far above what its dice give: 32 bits, drawn anew each time.
    uint32_t control = static_cast<uint32_t>(::getpid()) << 1;
    auto path = [](uint32_t handle) { return fmt::format("/dev/shm/PostgreSQL.{}", handle); };
    uint32_t live = control + 2'000'000'000u, gone = live + 2;
    std::string list(16 + 2 * 40, '\0');
    put(list.data(), 0, uint32_t{0x9a503d32});
    put(list.data(), 4, uint32_t{2});
    put(list.data(), 8, uint32_t{2});
    put(list.data(), 16, live);
    put(list.data(), 20, uint32_t{2});
    put(list.data(), 56, gone);  // without references: the name may be another's by now
    for (const auto& [handle, bytes] :
         {std::pair{control, list}, {live, std::string("x")}, {gone, std::string("x")}})
        ASSERT_TRUE(sys::write_scratch(sys::real_disk(), path(handle), bytes).ok());
    char* header = attach();
    put(header, 24, control);
    ::shmdt(header);
    remove_shared_memory(pgdata_);
    EXPECT_FALSE(is_there());
    EXPECT_FALSE(std::filesystem::exists(path(control)));
    EXPECT_FALSE(std::filesystem::exists(path(live)));
    EXPECT_TRUE(std::filesystem::exists(path(gone)));
    std::filesystem::remove(path(gone));
}

}  // namespace
}  // namespace tarn::compute
