#include "backup/prune.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "objects/directory_store.h"
#include "sys/files.h"

namespace tarn::backup {
namespace {

using namespace std::chrono_literals;

struct PruneTest : testing::Test {
    PruneTest() { std::filesystem::create_directories(place_); }
    ~PruneTest() override { std::filesystem::remove_all(place_); }

    std::unique_ptr<objects::DirectoryStore> store() {
        return std::make_unique<objects::DirectoryStore>(sys::real_disk(), place_);
    }
    Repository repository() { return {store(), objects::Envelope()}; }

    // A backup of one file for each of `contents`.
    std::string back_up(const std::string& source, const std::vector<std::string>& contents,
                        std::vector<std::string> problems = {}) {
        auto repository = this->repository();
        EXPECT_TRUE(repository.look().ok());
        Manifest manifest;
        manifest.source = source;
        manifest.taken = clock_.now();
        manifest.problems = std::move(problems);
        manifest.id = backup_id(clock_.now(), source);
        for (const std::string& each : contents) {
            auto part = repository.put_part(each);
            EXPECT_TRUE(part.ok());
            manifest.files.push_back({each, each.size(), 0600, {}, {*part}});
        }
        EXPECT_TRUE(repository.put_manifest(manifest).ok());
        return manifest.id;
    }
    Result<Pruned> prune(Span keep) {
        auto repository = this->repository();
        return run_prune(repository, clock_, {.keep = keep, .patience = {}, .progress = {}});
    }
    std::set<std::string> contents() {
        auto repository = this->repository();
        std::set<std::string> found;
        auto parts = repository.parts();
        EXPECT_TRUE(parts.ok());
        for (const auto& [hash, bytes] : *parts) found.insert(*repository.get_part(hash));
        return found;
    }

    std::string place_ = testing::TempDir() + "/prune." + std::to_string(::getpid());
    sys::SimClock clock_{parse_rfc3339("2026-11-22T10:00:00Z").value()};
};

TEST_F(PruneTest, OldBackupsGoAndWhatOnlyTheyNamed) {
    back_up("a", {"old", "both"});
    clock_.advance(48h);
    auto kept = back_up("a", {"both", "new"});
    clock_.advance(1h);
    auto pruned = prune(24h);
    ASSERT_TRUE(pruned.ok()) << pruned.error().text();
    EXPECT_EQ(pruned->backups, 1u);
    EXPECT_EQ(pruned->objects, 1u);
    EXPECT_GT(pruned->bytes, 0u);
    EXPECT_EQ(pruned->left, 1u);
    EXPECT_EQ(*repository().ids(), std::vector<std::string>{kept});
    EXPECT_EQ(contents(), (std::set<std::string>{"both", "new"}));
    ASSERT_EQ(store()->list("running/")->size(), 1u) << "its trace";
    EXPECT_TRUE(prune(24h).ok());
    EXPECT_EQ(store()->list("running/")->size(), 1u) << "the last one's";
}

TEST_F(PruneTest, TheNewestOfEachSourceStays) {
    back_up("a", {"older"});
    clock_.advance(1s);
    back_up("a", {"a"});
    clock_.advance(1h);
    back_up("b", {"b"});
    clock_.advance(1000h);
    ASSERT_TRUE(prune(24h).ok());
    EXPECT_EQ(contents(), (std::set<std::string>{"a", "b"}));
}

TEST_F(PruneTest, OneThatCannotBeReadStopsIt) {
    back_up("a", {"old"});
    clock_.advance(48h);
    auto damaged = back_up("a", {"new"});
    clock_.advance(1h);
    std::filesystem::resize_file(place_ + "/backups/" + damaged, 20);
    auto pruned = prune(1h);
    ASSERT_FALSE(pruned.ok());
    EXPECT_EQ(pruned.error().code(), Code::data_loss);
    EXPECT_NE(pruned.error().text().find(damaged), std::string::npos) << pruned.error().text();
    EXPECT_EQ(contents(), (std::set<std::string>{"old", "new"}));
}

// Y1
TEST_F(PruneTest, ABackupAndAPruningNeverMeet) {
    back_up("a", {"old"});
    clock_.advance(48h);
    back_up("a", {"new"});
    clock_.advance(1h);
    auto first = store(), second = store();
    {
        Turn backup(*first, clock_, Turn::Kind::backup);
        Turn beside(*second, clock_, Turn::Kind::backup);
        ASSERT_TRUE(backup.begin().ok());
        ASSERT_TRUE(beside.begin().ok()) << "backups bear each other";
        EXPECT_EQ(prune(1h).error().code(), Code::unavailable);
        // However long it takes, as long as it says so.
        for (int i = 0; i < 20; ++i) {
            clock_.advance(10min);
            ASSERT_TRUE(backup.keep().ok());
            EXPECT_EQ(prune(1h).error().code(), Code::unavailable);
        }
        // One that was held up must not go on: a pruning may have been there.
        EXPECT_EQ(beside.keep().error().code(), Code::unavailable);
    }
    EXPECT_EQ(contents(), (std::set<std::string>{"old", "new"}));
    Turn pruning(*first, clock_, Turn::Kind::pruning);
    ASSERT_TRUE(pruning.begin().ok());
    Turn backup(*second, clock_, Turn::Kind::backup);
    EXPECT_EQ(backup.begin().error().code(), Code::unavailable);
    EXPECT_EQ(prune(1h).error().code(), Code::unavailable) << "two prunings";
    EXPECT_EQ(first->list("running/")->size(), 2u) << "who steps back leaves at most a trace";
    // It died.
    clock_.advance(Turn::kFresh + 1min);
    EXPECT_TRUE(backup.begin().ok());
}

// Y1
TEST_F(PruneTest, ABackupThatWasTakenForDeadNoticesIt) {
    back_up("a", {"a"});
    auto mine = store();
    sys::SimClock behind(clock_.now() - 1h);
    Turn backup(*mine, behind, Turn::Kind::backup);
    ASSERT_TRUE(backup.begin().ok());
    EXPECT_FALSE(*backup.met_pruning());
    ASSERT_TRUE(prune(1h).ok()) << "to this clock the backup has been dead for long";
    EXPECT_TRUE(*backup.met_pruning());
    backup.end();
    ASSERT_TRUE(backup.begin().ok());
    EXPECT_FALSE(*backup.met_pruning()) << "that was before";
}

// Y1
TEST_F(PruneTest, APruningThatLooksDeadIsNotTrusted) {
    back_up("a", {"a"});
    auto first = store(), second = store();
    Turn pruning(*first, clock_, Turn::Kind::pruning);
    ASSERT_TRUE(pruning.begin().ok());
    clock_.advance(Turn::kFresh + 1min);  // it hangs
    {
        Turn backup(*second, clock_, Turn::Kind::backup);
        ASSERT_TRUE(backup.begin().ok());
        EXPECT_TRUE(*backup.met_pruning()) << "it may go on with what it was about to remove";
        EXPECT_EQ(pruning.keep().error().code(), Code::unavailable) << "and removes nothing more";
    }
    // A later one takes its object away, but not soon.
    ASSERT_TRUE(prune(1h).ok());
    EXPECT_EQ(store()->list("running/")->size(), 2u);
    clock_.advance(25h);
    ASSERT_TRUE(prune(1h).ok());
    EXPECT_EQ(store()->list("running/")->size(), 1u) << "the last one's trace";
    Turn backup(*second, clock_, Turn::Kind::backup);
    ASSERT_TRUE(backup.begin().ok());
    EXPECT_FALSE(*backup.met_pruning());
}

TEST_F(PruneTest, LeftoversOfDeadWritersGo) {
    back_up("a", {"a"});
    std::string directory = place_ + "/backups";
    auto leave = [&](Time begun) {
        std::string path = fmt::format("{}/.half.{:016x}.0123456789abcdef", directory,
                                       begun.time_since_epoch().count());
        EXPECT_TRUE(sys::write_scratch(sys::real_disk(), path, "half").ok());
        return path;
    };
    auto dead = leave(clock_.now() - 25h), lives = leave(clock_.now() - 23h);
    ASSERT_TRUE(prune(1h).ok());
    EXPECT_FALSE(std::filesystem::exists(dead));
    EXPECT_TRUE(std::filesystem::exists(lives));
}

TEST_F(PruneTest, AClockThatIsAheadMakesNobodyDead) {
    back_up("a", {"a"});
    auto mine = store();
    sys::SimClock ahead(clock_.now() + 1h);
    Turn backup(*mine, ahead, Turn::Kind::backup);
    ASSERT_TRUE(backup.begin().ok());
    EXPECT_EQ(prune(1h).error().code(), Code::unavailable);
}

TEST_F(PruneTest, WhileABackupIsReadNothingIsPruned) {
    back_up("a", {"a"});
    auto mine = store();
    Turn reader(*mine, clock_, Turn::Kind::reader);
    ASSERT_TRUE(reader.begin().ok());
    EXPECT_EQ(prune(1h).error().code(), Code::unavailable);
    auto others = store();
    Turn backup(*others, clock_, Turn::Kind::backup);
    EXPECT_TRUE(backup.begin().ok());
}

TEST_F(PruneTest, ABackupFromTheFutureStopsIt) {
    back_up("a", {"a"});
    clock_.step(-24h);
    back_up("a", {"b"});
    EXPECT_EQ(prune(0h).error().code(), Code::bad_request);
    EXPECT_EQ(contents(), (std::set<std::string>{"a", "b"}));
}

TEST_F(PruneTest, TheNewestWithoutProblemsStays) {
    back_up("a", {"whole"});
    clock_.advance(1h);
    back_up("a", {"holed"}, {"a bad place of the disk"});
    clock_.advance(48h);
    ASSERT_TRUE(prune(1h).ok());
    EXPECT_EQ(contents(), (std::set<std::string>{"whole", "holed"}));
}

}  // namespace
}  // namespace tarn::backup
