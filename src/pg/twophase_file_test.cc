#include "pg/twophase_file.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace tarn::pg {
namespace {

std::string whole_file() {
    std::string contents(200, 'x');
    put(contents.data(), 0, uint32_t{0x57f94534});
    put(contents.data(), 4, static_cast<uint32_t>(contents.size()));
    put(contents.data(), 196, crc32c(0, contents.data(), 196));
    return contents;
}

// That real ones are taken is shown by BranchTest.PreparedTransactionsComeWithABranch.
TEST(TwophaseFile, AnyPartOrDamageOfItIsNotWhole) {
    std::string whole = whole_file();
    EXPECT_TRUE(is_whole_twophase_file(whole));
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(is_whole_twophase_file(std::string_view(whole).substr(0, size))) << size;
    for (size_t at = 0; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] ^= 1;
        EXPECT_FALSE(is_whole_twophase_file(damaged)) << at;
    }
}

}  // namespace
}  // namespace tarn::pg
