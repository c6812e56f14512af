// Whether the records are behind the metadata, and since when, is to be seen.
#include "control/record_keeper.h"

#include <fstream>
#include <thread>

#include "control/control_fixture.h"

namespace tarn::control {
namespace {

class RecordKeeperTest : public ControlFixture {
  protected:
    RecordKeeperTest() {
        options_.records_directory = directory_ + "/records";
        open();
    }
    RecordsStatus status() { return control_->record_keeper.status(); }
    // Until it is so, or half a minute is over.
    template <class Condition>
    bool comes_about(Condition condition) {
        auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (!condition(status()) && std::chrono::steady_clock::now() < end)
            std::this_thread::yield();
        return condition(status());
    }
};

TEST_F(RecordKeeperTest, WhatCannotBeWrittenIsBehindSinceItsFirstChange) {
    auto is_current = [](const RecordsStatus& now) { return !now.since && now.behind == 0; };
    ASSERT_TRUE(control_->record_keeper.start().ok());
    ASSERT_TRUE(comes_about(is_current));
    std::string records = options_.records_directory;
    std::filesystem::rename(records, records + ".away");
    std::ofstream(records) << "no directory";
    pass(std::chrono::hours{1});
    Time changed = now_;
    ASSERT_TRUE(create_project("p").ok());
    ASSERT_TRUE(comes_about([](const RecordsStatus& now) { return !now.failure.empty(); }));
    pass(std::chrono::hours{1});
    ASSERT_TRUE(create_project("q").ok());
    RecordsStatus behind = status();
    EXPECT_EQ(behind.since, changed);
    EXPECT_GE(behind.behind, 2u);
    EXPECT_NE(behind.failure.find(records), std::string::npos) << behind.failure;
    std::filesystem::remove(records);
    std::filesystem::rename(records + ".away", records);
    control_->record_keeper.stop();
    EXPECT_TRUE(is_current(status()));
    EXPECT_EQ(status().failure, "");
}

}  // namespace
}  // namespace tarn::control
