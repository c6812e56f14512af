#include "shim/new_wal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "pg/wal_format.h"

namespace tarn::shim {
namespace {

using Page = std::vector<char>;

class NewWal : public ::testing::Test {
  protected:
    NewWal() : fd_(::mkstemp(path_)) { ::unlink(path_); }
    ~NewWal() override { ::close(fd_); }

    // A page as PostgreSQL has it at `address`.
    static Page page(uint64_t address) {
        Page bytes(pg::kWalPageSize, 'r');
        put(bytes.data(), pg::wal_page_offset::magic, pg::wal_page_magic(17));
        put(bytes.data(), pg::wal_page_offset::address, address);
        return bytes;
    }
    int64_t write(Page bytes, off_t offset) {
        iovec part{bytes.data(), bytes.size()};
        return write_new_wal(fd_, &part, 1, offset);
    }
    Page read(off_t offset) {
        Page bytes(pg::kWalPageSize, '?');
        EXPECT_EQ(::pread(fd_, bytes.data(), bytes.size(), offset), pg::kWalPageSize);
        return bytes;
    }
    int64_t blocks() {
        struct stat status {};
        ::fstat(fd_, &status);
        return status.st_blocks;
    }

    static constexpr uint64_t kSegment = 0x29000000;
    const Page zeros_ = Page(pg::kWalPageSize, 0);
    char path_[32] = "/var/tmp/new_wal_test.XXXXXX";
    int fd_;
};

TEST_F(NewWal, ZerosTakeNoDisk) {
    EXPECT_EQ(write(zeros_, 0), pg::kWalPageSize);
    EXPECT_EQ(read(0), zeros_);
    EXPECT_EQ(blocks(), 0);
}

TEST_F(NewWal, APageOfItsPlaceIsWritten) {
    EXPECT_EQ(write(page(kSegment), 0), pg::kWalPageSize);
    EXPECT_EQ(write(page(kSegment + pg::kWalPageSize), pg::kWalPageSize), pg::kWalPageSize);
    EXPECT_EQ(read(0), page(kSegment));
    EXPECT_EQ(read(pg::kWalPageSize), page(kSegment + pg::kWalPageSize));
}

TEST_F(NewWal, BehindTheLastPageThereIsRoomForMore) {
    ASSERT_EQ(write(page(kSegment), 0), pg::kWalPageSize);
    ASSERT_EQ(write(zeros_, pg::kWalPageSize), pg::kWalPageSize);
    EXPECT_GE(blocks() * 512, 2 << 20);
    EXPECT_EQ(read(pg::kWalPageSize), zeros_);
}

TEST_F(NewWal, APageOfAnotherPlaceReadsAsZerosAndTakesNoDisk) {
    ASSERT_EQ(write(page(kSegment), 0), pg::kWalPageSize);
    ::fsync(fd_);
    int64_t before = blocks();
    EXPECT_EQ(write(page(kSegment), pg::kWalPageSize), pg::kWalPageSize);
    ::fsync(fd_);
    EXPECT_EQ(read(pg::kWalPageSize), zeros_);
    EXPECT_EQ(blocks(), before);
}

TEST_F(NewWal, WhatIsThereAlreadyIsOverwrittenByZeros) {
    ASSERT_EQ(write(page(kSegment), 0), pg::kWalPageSize);
    EXPECT_EQ(write(zeros_, 0), pg::kWalPageSize);
    EXPECT_EQ(read(0), zeros_);
}

class InstallWal : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/var/tmp/install_wal_test.XXXXXX";
        directory_ = ::mkdtemp(name);
        write(made(), "zeros");
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }
    std::string made() const { return directory_ / "xlogtemp.7"; }
    std::string name() const { return directory_ / "000000010000000000000002"; }
    static void write(const std::string& path, const std::string& text) {
        std::ofstream(path) << text;
    }
    static std::string read(const std::string& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::filesystem::path directory_;
};

TEST_F(InstallWal, GivesTheSegmentItsName) {
    EXPECT_EQ(install_wal(made().c_str(), name().c_str()), 0);
    EXPECT_EQ(read(name()), "zeros");
    EXPECT_FALSE(std::filesystem::exists(made()));
}

TEST_F(InstallWal, OneThatHasTheNameAlreadyStays) {
    write(name(), "commits");
    EXPECT_EQ(install_wal(made().c_str(), name().c_str()), 0);
    EXPECT_EQ(read(name()), "commits");
    EXPECT_FALSE(std::filesystem::exists(made()));
}

TEST_F(InstallWal, AnswersWhatTheKernelSays) {
    EXPECT_EQ(install_wal((directory_ / "nothing").c_str(), name().c_str()), -ENOENT);
}

}  // namespace
}  // namespace tarn::shim
