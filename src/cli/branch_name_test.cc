#include "cli/branch_name.h"

#include <gtest/gtest.h>

namespace tarn::cli {
namespace {

TEST(BranchName, IsOfAProjectAndABranch) {
    EXPECT_EQ(branch_form("projects/my-app/branches/production"), "");
    for (const char* text :
         {"", "production", "projects/my-app", "projects//branches/b", "projects/p/branches/",
          "projects/p/branches/b/", "/projects/p/branches/b", "projects/p/branches/b/endpoints/e"})
        EXPECT_NE(branch_form(text).find("projects/PROJECT/branches/BRANCH"), std::string::npos)
            << text;
}

}  // namespace
}  // namespace tarn::cli
