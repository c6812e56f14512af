// Backups of a running and of a stopped store to a directory, cut short at every object, damaged,
// and opened by another manager.

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "backup/backup.h"
#include "backup/restore.h"
#include "compute/history_lock.h"
#include "compute/layout.h"
#include "compute/verify_store.h"
#include "meta/meta.h"
#include "meta/settings.h"
#include "objects/directory_store.h"
#include "sys/files.h"
#include "world.h"

namespace tarn::compute::testing {
namespace {

namespace fs = std::filesystem;

// A directory whose writer dies after so many objects.
class DyingStore final : public objects::ObjectStore {
  public:
    DyingStore(std::string directory, uint64_t puts)
        : store_(sys::real_disk(), std::move(directory)), puts_(puts) {}
    std::string place() const override { return store_.place(); }
    Result<void> put(const std::string& name, std::string_view bytes) override {
        if (puts_ == 0) return error(Code::io_error, "the writer is dead");
        --puts_;
        return store_.put(name, bytes);
    }
    Result<std::string> get(const std::string& name) override { return store_.get(name); }
    Result<std::vector<objects::ObjectInfo>> list(const std::string& prefix) override {
        return store_.list(prefix);
    }
    Result<void> remove(const std::string& name) override { return store_.remove(name); }
    Result<size_t> remove_leftovers(const std::string& folder, Time before) override {
        return store_.remove_leftovers(folder, before);
    }

  private:
    objects::DirectoryStore store_;
    uint64_t puts_;
};

class BackupTest : public ComputeTest {
  protected:
    static constexpr uint64_t kNever = ~uint64_t{0};

    void SetUp() override {
        ComputeTest::SetUp();
        if (HasFatalFailure()) return;
        ASSERT_NO_FATAL_FAILURE(write_metadata());
        start_project();
        value("ep-main", "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n");
        auto user = find_compute_user("");
        ASSERT_OK(user);
        user_ = *user;
        place_ = directory_ + "-backups";
        copy_ = directory_ + "-copy";
    }
    void TearDown() override {
        ComputeTest::TearDown();
        for (const std::string& path : {place_, copy_}) fs::remove_all(path);
    }
    void write_metadata() {
        auto meta = meta::Meta::open(directory_ + "/meta.db");
        ASSERT_OK(meta);
        ASSERT_OK((*meta)->write([](meta::Session& session) {
            return meta::set_setting(session, meta::kWorkspaceId, "1");
        }));
    }
    backup::Repository repository(uint64_t puts = kNever) const {
        return {std::make_unique<DyingStore>(place_, puts), objects::Envelope()};
    }
    Result<backup::Manifest> back_up(backup::Repository& repository) const {
        return backup::run_backup(repository, {.data_directory = directory_,
                                               .owner = user_,
                                               .version = "test",
                                               .replaces = "",
                                               .progress = {}});
    }
    Result<backup::Restored> restore() const {
        auto from = repository();
        return backup::run_restore(
            from, {.data_directory = copy_, .backup = "", .user = user_, .progress = {}});
    }
    StoreFindings verify_copy() const {
        ActAs acting(user_);
        auto store = store::Store::open(sys::real_disk(), copy_ + "/store");
        EXPECT_TRUE(store.ok());
        auto found = verify_store(*store, {});
        EXPECT_TRUE(found.ok()) << found.error().text();
        return std::move(*found);
    }
    void seal() {
        auto count = [&] {
            size_t points = 0;
            for (const auto& entry : fs::recursive_directory_iterator(directory_ + "/store"))
                points += entry.path().extension() == ".restore";
            return points;
        };
        size_t before = count();
        value("ep-main", "CHECKPOINT");
        while (count() == before) std::this_thread::yield();
    }

    ComputeUser user_;
    std::string place_, copy_;
};

// Z1
TEST_P(BackupTest, EveryMomentOfARunningBranchIsInTheCopy) {
    std::vector<std::pair<Lsn, std::string>> moments;
    for (int round = 0; round < 4; ++round) {
        value("ep-main", "INSERT INTO t SELECT n FROM generate_series(1, 500) n");
        moments.emplace_back(*Lsn::parse(value("ep-main", "SELECT pg_current_wal_flush_lsn()")),
                             value("ep-main", "SELECT count(*) FROM t"));
        if (round == 2) {  // another life
            kill_compute("ep-main", kRoot);
            ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
        } else {
            seal();
        }
    }
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    auto to = repository();
    ASSERT_OK(back_up(to));
    value("ep-main", "DELETE FROM t");
    auto restored = restore();
    ASSERT_OK(restored);
    EXPECT_TRUE(restored->lost.empty());
    auto found = verify_copy();
    EXPECT_EQ(found.damage_count(), 0u);
    EXPECT_TRUE(found.unchecked.empty());
    EXPECT_TRUE(found.orphans.empty());
    EXPECT_EQ(found.lineages.size(), 3u) << "template, root and branch";

    // Another machine: the first is gone.
    ASSERT_OK(manager_->remove("ep-main"));
    move_to(copy_);
    int number = 0;
    moments.emplace_back(Lsn{}, moments.back().second);
    for (const auto& [lsn, rows] : moments) {
        std::string lineage = fmt::format("{:016x}", 0xb0000 + number);
        std::string uid = fmt::format("ep-{}", number++);
        Moment moment = lsn.valid() ? Moment{lsn} : Moment{Newest{}};
        ASSERT_OK(manager_->create_branch(lineage, kRoot, "", moment));
        ASSERT_OK(manager_->start(spec(uid, lineage)));
        EXPECT_EQ(value(uid, "SELECT count(*) FROM t"), rows) << lsn.text();
        ASSERT_OK(manager_->remove(uid));
    }
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    EXPECT_EQ(value("ep-branch", "SELECT count(*) FROM t"), moments.back().second);
    ASSERT_OK(manager_->remove("ep-branch"));
}

// K1
TEST_P(BackupTest, KilledAnywhereTheNextOneGoesOn) {
    ASSERT_OK(manager_->stop("ep-main"));
    uint64_t sent = 0, deaths = 0;
    for (uint64_t puts = 0;; puts = puts < 3 ? puts + 1 : puts * 2) {
        auto dying = repository(puts);
        auto done = back_up(dying);
        sent += dying.sent().objects;
        EXPECT_EQ(done.ok(), !repository().ids()->empty()) << "after " << puts << " objects";
        if (done) break;
        ASSERT_NE(done.error().message().find("the writer is dead"), std::string::npos)
            << done.error().text();
        EXPECT_EQ(restore().error().code(), Code::not_found);
        EXPECT_FALSE(fs::exists(copy_));
        ++deaths;
    }
    EXPECT_GT(deaths, 3u);
    // Each object once, but for the metadata, a new copy of which may differ.
    auto restored = restore();
    ASSERT_OK(restored);
    std::set<std::string> parts;
    for (const auto& file : restored->manifest.files)
        parts.insert(file.parts.begin(), file.parts.end());
    parts.erase("");
    EXPECT_LE(sent, parts.size() + deaths);
    EXPECT_EQ(verify_copy().damage_count(), 0u);

    auto again = repository();
    ASSERT_OK(back_up(again));
    EXPECT_LE(again.sent().objects, 1u) << "nothing has changed but, perhaps, the metadata";
    EXPECT_EQ(repository().ids()->size(), 2u);
}

// A page that moves from one file to the other meanwhile could be in neither.
TEST_P(BackupTest, NothingIsPackedMeanwhile) {
    auto store = store::Store::open(sys::real_disk(), directory_ + "/store");
    ASSERT_OK(store);
    auto lineages = store->lineages();
    ASSERT_OK(lineages);
    auto can_pack = [&] {
        ActAs acting(user_);
        auto alone = take_packing(*store, lineages->back());
        EXPECT_TRUE(alone.ok());
        return alone.ok() && alone->has_value();
    };
    EXPECT_TRUE(can_pack());
    bool could_pack = false, was_asked = false;
    auto to = repository();
    auto done = backup::run_backup(to, {.data_directory = directory_,
                                        .owner = user_,
                                        .version = "test",
                                        .replaces = "",
                                        .progress = [&](const auto&) {
                                            was_asked = true;
                                            could_pack = could_pack || can_pack();
                                        }});
    ASSERT_OK(done);
    EXPECT_TRUE(was_asked);
    EXPECT_FALSE(could_pack);
    EXPECT_TRUE(can_pack());
}

TEST_P(BackupTest, MetadataThatKnowsNoneOfTheBranchesIsNotSaved) {
    ASSERT_OK(manager_->stop("ep-main"));
    fs::remove(directory_ + "/meta.db");
    ASSERT_OK(meta::Meta::open(directory_ + "/meta.db"));
    auto to = repository();
    auto done = back_up(to);
    ASSERT_FALSE(done.ok());
    EXPECT_NE(done.error().text().find("tarn recover-metadata"), std::string::npos)
        << done.error().text();
    EXPECT_TRUE(repository().ids()->empty());
}

TEST_P(BackupTest, StorageWhoseRecordIsGoneIsTold) {
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->stop("ep-main"));
    std::string lineage = directory_ + "/store/lineages/" + kRoot;
    fs::rename(lineage + "/lineage", directory_ + "/lineage-lost");
    auto to = repository();
    auto done = back_up(to);
    ASSERT_OK(done);
    ASSERT_FALSE(done->problems.empty()) << "a pruning would count on it";
    EXPECT_NE(done->problems.front().find(kRoot), std::string::npos) << done->problems.front();
    fs::rename(directory_ + "/lineage-lost", lineage + "/lineage");
    ASSERT_OK(back_up(to));
    auto restored = restore();
    ASSERT_OK(restored);
    EXPECT_TRUE(restored->lost.empty());
    EXPECT_EQ(verify_copy().damage_count(), 0u);
}

// K2
TEST_P(BackupTest, ADamagedObjectIsNamedAndTheRestRestored) {
    seal();
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->stop("ep-main"));
    auto to = repository();
    auto manifest = back_up(to);
    ASSERT_OK(manifest);
    size_t tried = 0;
    for (const auto& file : manifest->files) {
        bool pages = file.path.ends_with(".pages"), record = file.path.ends_with(".restore");
        if ((!pages && !record) || file.parts.front().empty()) continue;
        SCOPED_TRACE(file.path);
        const std::string& hash = file.parts.front();
        std::string object = fmt::format("{}/objects/{}/{}", place_, hash.substr(0, 2), hash);
        std::string good = *sys::read_file(sys::real_disk(), object);
        for (bool gone : {false, true}) {
            std::string bad = good;
            bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 4);
            if (gone)
                fs::remove(object);
            else
                std::ofstream(object, std::ios::binary) << bad;
            auto from = repository();
            auto checked = backup::check_backup(from, "", {});
            ASSERT_OK(checked);
            EXPECT_FALSE(checked->lost.empty());
            auto restored = restore();
            ASSERT_OK(restored);
            ASSERT_EQ(restored->lost.size(), checked->lost.size());
            EXPECT_EQ(restored->lost.front().path, file.path);
            EXPECT_EQ(restored->lost.front().whole_file, record);
            EXPECT_NE(restored->lost.front().why.find(hash), std::string::npos);
            EXPECT_EQ(fs::exists(copy_ + "/" + file.path), pages);
            for (const auto& other : manifest->files)
                EXPECT_TRUE(other.parts == file.parts || fs::exists(copy_ + "/" + other.path))
                    << other.path;
            EXPECT_EQ(pages && verify_copy().damage_count() == 0, false);
            fs::remove_all(copy_);
        }
        std::ofstream(object, std::ios::binary) << good;
        ++tried;
    }
    EXPECT_GE(tried, 3u);
    ASSERT_OK(restore());
    EXPECT_EQ(verify_copy().damage_count(), 0u);
}

// The end of the WAL looks like an end wherever it is cut: the copy knows where it was.
TEST_P(BackupTest, WalThatIsLostFromTheEndIsMissed) {
    seal();
    // More than a part, and too little for another checkpoint: no restore point asks for its end.
    value("ep-main", "INSERT INTO t SELECT n FROM generate_series(1, 75000) n");
    auto to = repository();
    auto manifest = back_up(to);
    ASSERT_OK(manifest);
    const std::string* last = nullptr;
    for (const auto& file : manifest->files)
        if (file.path.find(kRoot) != std::string::npos &&
            file.path.find("/wal/") != std::string::npos)
            for (const std::string& part : file.parts)
                if (!part.empty()) last = &part;
    ASSERT_NE(last, nullptr);
    fs::remove(fmt::format("{}/objects/{}/{}", place_, last->substr(0, 2), *last));
    auto restored = restore();
    ASSERT_OK(restored);
    EXPECT_EQ(restored->lost.size(), 1u);
    auto found = verify_copy();
    EXPECT_GT(found.damage_count(), 0u) << "the WAL ends early, and nobody says so";

    ASSERT_OK(manager_->remove("ep-main"));
    move_to(copy_);
    auto started = manager_->start(spec("ep-main", kRoot));
    ASSERT_FALSE(started.ok()) << "committed rows are missing";
    EXPECT_EQ(started.error().code(), Code::data_loss) << started.error().text();
    ASSERT_OK(manager_->remove("ep-main"));
}

TEST_P(BackupTest, NothingIsRestoredOverAnything) {
    auto to = repository();
    ASSERT_OK(back_up(to));
    fs::create_directory(copy_);
    std::ofstream(copy_ + "/mine") << "precious";
    auto refused = restore();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code(), Code::bad_request) << refused.error().text();
    EXPECT_EQ(*sys::list_names(sys::real_disk(), copy_), std::vector<std::string>{"mine"});
    fs::remove(copy_ + "/mine");
    // What an earlier restore has left that died.
    fs::create_directory(copy_ + ".restoring");
    std::ofstream(copy_ + ".restoring/meta.db") << "half";
    ASSERT_OK(restore());
    EXPECT_FALSE(fs::exists(copy_ + ".restoring"));
    EXPECT_EQ(verify_copy().damage_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Majors, BackupTest, ::testing::Values(17));

}  // namespace
}  // namespace tarn::compute::testing
