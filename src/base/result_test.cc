#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace tarn {
namespace {

Result<std::unique_ptr<int>> make(bool works) {
    if (!works) return error(Code::not_found, "file {} is missing", 7);
    return std::make_unique<int>(42);
}

Result<int> use(bool works) {
    auto value = TRY_CTX(make(works), "open segment {}", 41);
    return *value + (*TRY(make(works)) - 42);
}

Result<void> nothing(bool works) {
    TRY(use(works));
    return {};
}

TEST(Result, CarriesMoveOnlyValuesThroughTry) {
    EXPECT_EQ(use(true).value(), 42);
}

TEST(Result, ChainsWhatWasBeingTried) {
    auto result = nothing(false);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code(), Code::not_found);
    EXPECT_EQ(result.error().message(), "open segment 41: file 7 is missing");
    EXPECT_EQ(error(Code::internal, "x").with_hint("do y").text(), "x (hint: do y)");
}

TEST(Result, ErrnoBecomesCodeAndText) {
    Error full = errno_error(ENOSPC, "write page");
    EXPECT_EQ(full.code(), Code::no_space);
    EXPECT_EQ(full.message(), "write page: No space left on device");
    EXPECT_EQ(full.os_errno(), ENOSPC);
}

TEST(Result, FullDiskComesWithWhatToDo) {
    Error full = errno_error(ENOSPC, "write page");
    EXPECT_EQ(full.code(), Code::no_space);
    EXPECT_EQ(full.os_errno(), ENOSPC);
    EXPECT_FALSE(full.hint().empty());
    EXPECT_TRUE(errno_error(EIO, "write page").hint().empty());
}

TEST(Result, EveryCodeHasAllItsFaces) {
    for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
        const CodeInfo& row = info(static_cast<Code>(i));
        EXPECT_GE(row.http_status, 400) << row.name;
        EXPECT_EQ(row.sqlstate.size(), 5u) << row.name;
        EXPECT_NE(row.exit_status, 0) << row.name;
        EXPECT_NE(row.http_status, 429) << "clients retry 429: " << row.name;
    }
}

}  // namespace
}  // namespace tarn
