// test_directory.h: a directory of the machine that a test has for itself.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <source_location>
#include <stdexcept>
#include <string>

#include "sys/files.h"

namespace tarn::store {

class TestDirectory {
  public:
    TestDirectory() : path_(testing::TempDir() + "tarn-store-XXXXXX") {
        EXPECT_NE(::mkdtemp(path_.data()), nullptr);
    }
    ~TestDirectory() { EXPECT_TRUE(sys::remove_tree(sys::real_disk(), path_).ok()); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// The value of a Result that must be good; ends the test where it is not.
template <class T>
T good(Result<T> result, std::source_location at = std::source_location::current()) {
    if (!result.ok()) {
        ADD_FAILURE_AT(at.file_name(), static_cast<int>(at.line())) << result.error().text();
        throw std::runtime_error("a Result that must be good is an Error");
    }
    return std::move(result).value();
}

}  // namespace tarn::store
