#include "compute/postgres_install.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace tarn::compute {
namespace {

TEST(HoldsPostgres, TellsADirectoryWithThePrograms) {
    std::string pattern = testing::TempDir() + "tarn-install-XXXXXX";
    std::string directory = mkdtemp(pattern.data());
    EXPECT_FALSE(holds_postgres(directory + "/{major}"));
    std::filesystem::create_directories(directory + "/15/bin");
    std::filesystem::create_directories(directory + "/17/bin");
    for (const char* program : {"/15/bin/postgres", "/15/bin/initdb", "/17/bin/postgres"})
        std::ofstream(directory + program) << "";
    EXPECT_FALSE(holds_postgres(directory + "/{major}")) << "15 is too old, 17 has no initdb";
    std::ofstream(directory + "/17/bin/initdb") << "";
    EXPECT_TRUE(holds_postgres(directory + "/{major}"));
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace tarn::compute
