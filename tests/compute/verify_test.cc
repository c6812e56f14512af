// A store with two lives, restore points and a branch: whole as it is, and each kind of damage is
// named, one at a time.

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "compute/layout.h"
#include "compute/user.h"
#include "compute/verify_lineage.h"
#include "compute/verify_store.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "world.h"

namespace tarn::compute::testing {
namespace {

namespace fs = std::filesystem;

class VerifyTest : public ComputeTest {
  protected:
    // First life: restore points, a page version that only they show, WAL of several segments.
    // Second life: begun after a kill. A branch, made before that. Nothing runs afterwards.
    void make_history() {
        start_project();
        value("ep-main", "CREATE TABLE past AS SELECT 'of the past' AS body");
        path_ = value("ep-main", "SELECT pg_relation_filepath('past')");
        seal();
        value("ep-main", "TRUNCATE past");
        // Much WAL of few records: too little to replay for a restore point in between.
        value("ep-main",
              "CREATE TABLE t AS SELECT n, repeat('x', 1900) AS s "
              "FROM generate_series(1, 11000) n");
        middle_ = flushed();
        value("ep-main", "UPDATE t SET s = repeat('y', 1900)");
        seal();
        sealed_ = flushed();
        value("ep-main", "INSERT INTO t VALUES (0)");
        ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
        kill_compute("ep-main", kRoot);
        ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
        value("ep-main", "CREATE TABLE u AS SELECT 'of the present' AS body");
        seal();
        ASSERT_OK(manager_->stop("ep-main"));
    }
    Lsn flushed() { return *Lsn::parse(value("ep-main", "SELECT pg_current_wal_flush_lsn()")); }
    // A checkpoint, and the restore point that is made of it.
    void seal() {
        size_t before = files(".restore").size();
        value("ep-main", "CHECKPOINT");
        while (files(".restore").size() == before) std::this_thread::yield();
    }
    std::vector<std::string> files(const std::string& suffix) const {
        std::vector<std::string> found;
        for (const auto& entry : fs::recursive_directory_iterator(lineage_directory()))
            if (entry.path().string().ends_with(suffix)) found.push_back(entry.path());
        std::sort(found.begin(), found.end());
        return found;
    }
    std::string lineage_directory(const LineageId& lineage = kRoot) const {
        return directory_ + "/store/lineages/" + lineage;
    }
    static void flip(const std::string& path, uint64_t offset) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(offset));
        char byte = static_cast<char>(file.get() ^ 8);
        file.seekp(static_cast<std::streamoff>(offset));
        file.put(byte);
        file.close();
        ASSERT_TRUE(file.good()) << path;
    }
    StoreFindings look() const {
        auto found = look_at_all();
        EXPECT_TRUE(found.unchecked.empty());
        return found;
    }
    StoreFindings look_at_all() const {
        auto user = find_compute_user("");
        EXPECT_TRUE(user.ok());
        ActAs acting(*user);
        auto store = store::Store::open(sys::real_disk(), directory_ + "/store");
        EXPECT_TRUE(store.ok());
        auto found = verify_store(*store, {});
        EXPECT_TRUE(found.ok()) << found.error().text();
        return std::move(*found);
    }
    static const LineageFindings& of(const StoreFindings& found, const LineageId& lineage) {
        for (const auto& each : found.lineages)
            if (lineage_text(each.lineage) == lineage) return each;
        throw std::runtime_error("no findings of lineage " + lineage);
    }
    static std::string text_of(const StoreFindings& found) {
        std::string text;
        for (const auto& lineage : found.lineages)
            for (const Damage& each : lineage.damages)
                text += lineage_text(lineage.lineage) + ": " + each.what + ": " + each.why + "\n";
        return text;
    }
    // With one byte other than it was: the one damage of the root. The branch has it too, or is
    // whole.
    Damage with_flipped(const std::string& path, uint64_t offset, bool in_branch) {
        SCOPED_TRACE(path);
        flip(path, offset);
        Damage damage = only_damage(in_branch);
        flip(path, offset);
        return damage;
    }
    Damage only_damage(bool in_branch) {
        found_ = look();
        const LineageFindings& root = of(found_, kRoot);
        EXPECT_EQ(root.damage_count, 1u) << text_of(found_);
        EXPECT_EQ(of(found_, kBranch).damage_count, in_branch ? 1u : 0u) << text_of(found_);
        EXPECT_EQ(found_.damage_count(), in_branch ? 2u : 1u) << text_of(found_);
        return root.damages.empty() ? Damage{} : root.damages.front();
    }
    // Not in the store while `check` runs.
    void without(const std::string& path, const std::function<void()>& check) {
        SCOPED_TRACE(path);
        std::string aside = fmt::format("{}/aside-{}-{}", directory_,
                                        fs::path(path).parent_path().filename().string(),
                                        fs::path(path).filename().string());
        fs::rename(path, aside);
        check();
        fs::rename(aside, path);
    }
    void expect_whole_moment_behind(Lsn lsn) {
        const auto& whole = of(found_, kRoot).newest_whole;
        ASSERT_TRUE(whole);
        EXPECT_GT(whole->lsn, lsn);
        // It is a moment that can be branched from.
        auto moment = manager_->find_moment(kRoot, whole->lsn);
        ASSERT_OK(moment);
        EXPECT_EQ(moment->lsn, whole->lsn);
    }
    // Of the first life's own timeline; "" if there is none.
    std::string find_segment(Lsn lsn) const {
        for (const std::string& name : files(fmt::format("{:08X}", lsn.value >> 24)))
            if (name.starts_with(lineage_directory() + "/00000001/wal")) return name;
        return "";
    }
    std::string segment_of(Lsn lsn) const {
        auto name = find_segment(lsn);
        EXPECT_NE(name, "") << "no segment has " << lsn.text();
        return name;
    }
    static uint64_t find(const std::string& path, const std::string& bytes) {
        auto content = sys::read_file(sys::real_disk(), path);
        return content ? content->find(bytes) : std::string::npos;
    }

    std::string path_;  // of the table `past`, before it was truncated
    Lsn middle_;        // of the first life's WAL
    Lsn sealed_;        // behind its last restore point
    StoreFindings found_;
};

TEST_P(VerifyTest, AStoreIsWholeAndItsNewestMomentIsTheNewest) {
    make_history();
    found_ = look();
    EXPECT_EQ(text_of(found_), "");
    EXPECT_EQ(found_.lineages.size(), 3u);  // with the template
    EXPECT_TRUE(found_.orphans.empty()) << found_.orphans.front().path;
    const LineageFindings& root = of(found_, kRoot);
    EXPECT_EQ(root.incarnations, 2u);
    EXPECT_EQ(root.restore_points, files(".restore").size());
    EXPECT_GT(root.wal_bytes, uint64_t{32} << 20);
    auto newest = manager_->find_moment(kRoot, Newest{});
    ASSERT_OK(newest);
    ASSERT_TRUE(root.newest_whole);
    EXPECT_EQ(root.newest_whole->lsn, newest->lsn);
}

// V1
TEST_P(VerifyTest, EachKindOfDamageIsNamed) {
    make_history();
    std::string incarnation = lineage_directory() + "/00000001/";

    // A page that only restore points of the first life show.
    uint64_t at = find(incarnation + "00000000.pages", "of the past");
    ASSERT_NE(at, std::string::npos);
    Damage damage = with_flipped(incarnation + "00000000.pages", at, false);
    EXPECT_EQ(damage.what, "block 0 of " + path_);
    EXPECT_EQ(damage.offset, at / 8192 * 8192);
    ASSERT_EQ(damage.points.size(), 1u);
    ASSERT_EQ(damage.moments.size(), 1u);
    EXPECT_TRUE(damage.moments[0].before && *damage.moments[0].before > damage.moments[0].from);
    expect_whole_moment_behind(*damage.moments[0].before);

    // Its slot's header.
    damage = with_flipped(incarnation + "00000000.slots", at / 8192 * 64 + 9, false);
    EXPECT_EQ(damage.what, "block 0 of " + path_);
    EXPECT_TRUE(damage.why.starts_with("header of slot")) << damage.why;

    // The index of the first restore point, and the restore point itself. An older one serves in
    // its place, so no moment is lost.
    auto points = files(".restore");
    std::string number = points[0].substr(points[0].rfind('/') + 1, 8);
    damage = with_flipped(points[0], 40, false);
    EXPECT_TRUE(damage.what.starts_with("restore point")) << damage.what;
    EXPECT_EQ(damage.file, points[0]);
    EXPECT_TRUE(damage.moments.empty());
    flip(points[1], 40);
    flip(points[0], 40);
    EXPECT_EQ(of(look(), kRoot).damage_count, 2u) << "each is a damage of its own";
    flip(points[0], 40);
    flip(points[1], 40);
    damage = with_flipped(files(".index")[0], 50, false);
    EXPECT_TRUE(damage.what.starts_with("index")) << damage.what;
    EXPECT_EQ(damage.file, files(".index")[0]);
    EXPECT_FALSE(damage.moments.empty());

    // Records without which no moment is found. The branch began from the first life.
    ASSERT_OK(manager_->begin_history(kRoot));
    for (const auto& [path, what, in_branch] :
         {std::tuple(lineage_directory() + "/lineage", "lineage record", true),
          std::tuple(incarnation + "incarnation", "record of incarnation 1", true),
          std::tuple(lineage_directory() + "/kept_from", "record of how far back", false)}) {
        damage = with_flipped(path, 12, in_branch);
        EXPECT_TRUE(damage.what.starts_with(what)) << damage.what;
        EXPECT_EQ(damage.file.substr(0, path.size()), path);
        EXPECT_EQ(damage.moments.size(), 1u);
        EXPECT_FALSE(of(found_, kRoot).newest_whole);
    }
    ASSERT_OK(manager_->set_aside(kRoot, sys::real_clock().now()));
    damage = with_flipped(lineage_directory() + "/set_aside", 12, false);
    EXPECT_TRUE(damage.what.starts_with("record of the times")) << damage.what;
    EXPECT_TRUE(of(found_, kRoot).newest_whole) << "it is found without";
}

// V1
TEST_P(VerifyTest, AMissingRecordIsNamed) {
    make_history();
    auto expect_told = [&](const std::string& path, const std::string& what, bool in_branch) {
        without(path, [&] {
            Damage damage = only_damage(in_branch);
            EXPECT_TRUE(damage.what.starts_with(what)) << damage.what;
            EXPECT_EQ(damage.file, path);
            EXPECT_EQ(damage.moments.size(), 1u);
            EXPECT_FALSE(of(found_, kRoot).newest_whole);
            EXPECT_TRUE(found_.orphans.empty()) << found_.orphans.front().path;
        });
    };
    expect_told(lineage_directory() + "/lineage", "lineage record", true);
    expect_told(lineage_directory() + "/00000001/incarnation", "record of incarnation 1", true);
    expect_told(lineage_directory() + "/00000002/incarnation", "record of incarnation 2", false);
    // The branch was made and never opened: nothing names it but its own record.
    without(lineage_directory(kBranch) + "/lineage", [&] {
        found_ = look();
        EXPECT_EQ(of(found_, kBranch).damage_count, 1u);
        EXPECT_EQ(found_.damage_count(), 1u) << text_of(found_);
        EXPECT_TRUE(found_.orphans.empty());
        // One that is dropped is half removed.
        std::ofstream(directory_ + "/store/dropped-" + kBranch);
        found_ = look();
        EXPECT_EQ(found_.damage_count(), 0u) << text_of(found_);
        EXPECT_EQ(found_.lineages.size(), 2u);
        fs::remove(directory_ + "/store/dropped-" + kBranch);
    });
    EXPECT_EQ(text_of(look()), "");
}

// What has lost its record is nothing that a crash has left of a making: it stays, and is not opened
// as it was before.
TEST_P(VerifyTest, WhatHasLostItsRecordIsNeitherOpenedNorRemoved) {
    make_history();
    auto refused = [&](const auto& result) {
        EXPECT_FALSE(result.ok());
        if (!result.ok()) {
            EXPECT_EQ(result.error().code(), Code::data_loss) << result.error().text();
        }
    };
    const std::string lives[] = {lineage_directory() + "/00000001",
                                 lineage_directory() + "/00000002"};
    auto next_server = [&] {
        restart_server();
        ASSERT_OK(manager_->adopt({spec("ep-main", kRoot)}));
        for (const std::string& life : lives)
            EXPECT_TRUE(fs::exists(life + "/wal_archive")) << life;
    };
    without(lineage_directory() + "/lineage", [&] {
        next_server();
        EXPECT_FALSE(manager_->start(spec("ep-main", kRoot)).ok());
    });
    without(lives[1] + "/incarnation", [&] {
        next_server();
        refused(manager_->start(spec("ep-main", kRoot)));
        refused(manager_->create_branch("00000000000a0003", kRoot, "", Newest{}));
        refused(manager_->find_moment(kRoot, sys::real_clock().now()));
        refused(manager_->trim_history(kRoot, sys::real_clock().now()));
        without(lives[0] + "/incarnation", [&] {
            refused(manager_->create_root(kRoot, GetParam()));
            refused(manager_->create_branch(kRoot, kBranch, "", Newest{}));
        });
        for (const std::string& life : lives) EXPECT_TRUE(fs::exists(life + "/wal_archive"));
    });
    // One that an older life has lost costs its own moments, and no start.
    without(lives[0] + "/incarnation", [&] {
        ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
        EXPECT_EQ(value("ep-main", "SELECT body FROM u"), "of the present");
        ASSERT_OK(manager_->stop("ep-main"));
        EXPECT_TRUE(fs::exists(lives[0] + "/wal_archive"));
    });
    EXPECT_EQ(text_of(look()), "");
    ASSERT_OK(manager_->create_branch("00000000000a0003", kRoot, "", Newest{}));
    // On purpose it goes, with or without its record.
    ASSERT_TRUE(fs::remove(lineage_directory(kBranch) + "/lineage"));
    next_server();
    EXPECT_TRUE(fs::exists(lineage_directory(kBranch) + "/00000001/incarnation"));
    std::ofstream(directory_ + "/store/dropped-" + kBranch);
    next_server();
    EXPECT_FALSE(fs::exists(lineage_directory(kBranch)));
}

// A compute that was started makes no restore point before its first checkpoint.
TEST_P(VerifyTest, AMissingRecordOfALifeThatSealedNothingIsNamed) {
    start_project();
    value("ep-main", "CREATE TABLE t AS SELECT 1 AS n");
    kill_compute("ep-main", kRoot);
    ASSERT_TRUE(files(".restore").empty());
    EXPECT_EQ(text_of(look()), "");
    ASSERT_TRUE(fs::remove(lineage_directory() + "/00000001/incarnation"));
    found_ = look();
    EXPECT_EQ(found_.damage_count(), 1u) << text_of(found_);
    ASSERT_EQ(of(found_, kRoot).damage_count, 1u);
    EXPECT_EQ(of(found_, kRoot).damages[0].what, "record of incarnation 1");
}

// V1
TEST_P(VerifyTest, ALineageWithNothingToOpenIsNotWhole) {
    make_history();
    auto expect_damaged = [&] {
        found_ = look();
        const LineageFindings& root = of(found_, kRoot);
        EXPECT_GE(root.damage_count, 1u);
        EXPECT_FALSE(root.newest_whole);
    };
    without(lineage_directory() + "/00000001",
            [&] { without(lineage_directory() + "/00000002", expect_damaged); });
    // One that was never opened may as well have been cut short in its making.
    without(lineage_directory(kBranch) + "/00000001", [&] {
        auto found = look_at_all();
        EXPECT_EQ(found.damage_count(), 0u) << text_of(found);
        ASSERT_EQ(found.unchecked.size(), 1u);
        EXPECT_EQ(lineage_text(found.unchecked[0].lineage.value_or(0)), kBranch);
        EXPECT_EQ(found.unchecked[0].why.code(), Code::unavailable);
    });
    EXPECT_EQ(text_of(look()), "");
}

// V1
TEST_P(VerifyTest, MoreDamageThanIsKeptIsToldOfTheIndex) {
    make_history();
    std::string pages = lineage_directory() + "/00000001/00000000.pages";
    flip(pages, find(pages, "of the past"));
    auto user = find_compute_user("");
    ActAs acting(*user);
    auto store = store::Store::open(sys::real_disk(), directory_ + "/store");
    ASSERT_OK(store);
    store::Verifier verifier(store->disk(), store->root(), 0);
    auto found = verify_lineage(*store, verifier, *parse_lineage_id(kRoot));
    ASSERT_OK(found);
    ASSERT_TRUE(*found);
    ASSERT_GE((*found)->damage_count, 1u);
    const Damage& damage = (*found)->damages[0];
    EXPECT_TRUE(damage.what.starts_with("index ")) << damage.what;
    EXPECT_EQ(damage.why, "1 more damaged slots of 1, not asked who shows them");
    EXPECT_FALSE(damage.moments.empty());
}

TEST_P(VerifyTest, FindingsStayWhereOrphansCannotBeLookedFor) {
    make_history();
    flip(lineage_directory() + "/00000001/incarnation", 12);
    auto user = find_compute_user("");
    ActAs acting(*user);
    auto store = store::Store::open(sys::real_disk(), directory_ + "/store");
    ASSERT_OK(store);
    fs::permissions(store->root(), fs::perms::owner_write | fs::perms::owner_exec);
    auto found = verify_store(*store, {});
    fs::permissions(store->root(), fs::perms::owner_all);
    ASSERT_OK(found);
    EXPECT_EQ(found->damage_count(), 2u) << text_of(*found);
    ASSERT_EQ(found->unchecked.size(), 1u);
    EXPECT_FALSE(found->unchecked[0].lineage);
    EXPECT_EQ(found->unchecked[0].why.code(), Code::permission_denied);
}

// V1
TEST_P(VerifyTest, DamagedAndMissingWalIsNamedWithTheMomentsBehindIt) {
    make_history();
    std::string segment = segment_of(middle_);
    auto expect_named = [&](const Damage& damage, Lsn from) {
        EXPECT_TRUE(damage.what.starts_with("WAL of incarnation 1 after ")) << damage.what;
        ASSERT_EQ(damage.moments.size(), 1u);
        const MomentRange& moments = damage.moments[0];
        EXPECT_TRUE(moments.after);
        EXPECT_LE(moments.from, from);
        // The next restore point is opened with WAL behind the damage.
        ASSERT_TRUE(moments.before);
        EXPECT_GT(*moments.before, middle_);
        EXPECT_LE(*moments.before, sealed_);
        ASSERT_OK(manager_->find_moment(kRoot, moments.from));
        EXPECT_FALSE(manager_->find_moment(kRoot, middle_).ok());
        ASSERT_OK(manager_->find_moment(kRoot, *moments.before));
        expect_whole_moment_behind(*moments.before);
    };
    uint64_t inside = middle_.value % (16 << 20) - 100;
    flip(segment, inside);
    Damage damage = only_damage(false);
    EXPECT_EQ(damage.file, segment);
    expect_named(damage, middle_);
    // And another one behind that restore point is named too.
    std::string next = segment_of(sealed_);
    flip(next, sealed_.value % (16 << 20) + 30);
    found_ = look();
    EXPECT_EQ(of(found_, kRoot).damage_count, 2u) << text_of(found_);
    flip(next, sealed_.value % (16 << 20) + 30);
    flip(segment, inside);

    // A segment's first page: the last whole record lies in the segment before.
    flip(segment, 0);
    damage = only_damage(false);
    EXPECT_EQ(damage.file, segment);
    EXPECT_EQ(damage.offset, 0u);
    expect_named(damage, middle_);
    flip(segment, 0);

    fs::rename(segment, directory_ + "/elsewhere");
    damage = only_damage(false);
    EXPECT_TRUE(damage.why.ends_with(fs::path(segment).filename().string())) << damage.why;
    EXPECT_NE(damage.why.find("there is no segment"), std::string::npos) << damage.why;
    expect_named(damage, middle_);
    fs::rename(directory_ + "/elsewhere", segment);
    EXPECT_EQ(text_of(look()), "");
}

TEST_P(VerifyTest, TheNewestWholeMomentLiesBeforeADamagedRestorePoint) {
    make_history();
    std::string pages = lineage_directory() + "/00000002/00000000.pages";
    uint64_t at = find(pages, "of the present");
    ASSERT_NE(at, std::string::npos);
    Damage damage = with_flipped(pages, at, false);
    ASSERT_EQ(damage.moments.size(), 1u);
    EXPECT_FALSE(damage.moments[0].before);
    const auto& whole = of(found_, kRoot).newest_whole;
    ASSERT_TRUE(whole);
    EXPECT_LT(whole->lsn, damage.moments[0].from);
    EXPECT_EQ(std::count(damage.points.begin(), damage.points.end(), whole->point), 0);
    auto moment = manager_->find_moment(kRoot, whole->lsn);
    ASSERT_OK(moment);
    EXPECT_EQ(moment->lsn, whole->lsn);
}

// The end of the newest life's WAL, which nothing comes after.
TEST_P(VerifyTest, WalThatEndsBeforeARestorePointIsDamaged) {
    make_history();
    auto points = files(".restore");
    std::string newest = points.back();
    auto moment = manager_->find_moment(kRoot, Newest{});
    ASSERT_OK(moment);
    std::string last;
    for (const std::string& name : files(""))
        if (name.starts_with(newest.substr(0, newest.rfind('/')) + "/wal/") &&
            fs::path(name).filename().string().size() == 24)
            last = name;
    fs::resize_file(last, moment->lsn.value % (16 << 20) - 60);
    Damage damage = only_damage(false);
    ASSERT_EQ(damage.moments.size(), 1u);
    EXPECT_TRUE(damage.why.starts_with("WAL ends at")) << damage.why;
    EXPECT_FALSE(damage.moments[0].before);
}

TEST_P(VerifyTest, OrphansAreNotes) {
    make_history();
    fs::create_directory(lineage_directory() + "/00000077");
    std::ofstream(lineage_directory() + "/00000001/00000099.index") << "12345";
    std::ofstream(directory_ + "/store/dropped-00000000000b0001");
    found_ = look();
    EXPECT_EQ(found_.damage_count(), 0u);
    ASSERT_EQ(found_.orphans.size(), 3u);
    EXPECT_TRUE(found_.orphans[0].path.ends_with("/dropped-00000000000b0001"));
    EXPECT_TRUE(found_.orphans[1].path.ends_with("/00000001/00000099.index"));
    EXPECT_EQ(found_.orphans[1].bytes, 5u);
    EXPECT_TRUE(found_.orphans[2].path.ends_with("/00000077"));
}

// V2
TEST_P(VerifyTest, NothingIsChanged) {
    make_history();
    auto state = [&] {
        std::map<std::string, std::pair<fs::file_time_type, uintmax_t>> found;
        for (const auto& entry : fs::recursive_directory_iterator(directory_ + "/store"))
            if (entry.is_regular_file())
                found[entry.path()] = {entry.last_write_time(), entry.file_size()};
        return found;
    };
    look();  // makes the locks that are missing
    auto before = state();
    EXPECT_EQ(text_of(look()), "");
    EXPECT_EQ(state(), before);
}

TEST_P(VerifyTest, WhatIsNoLongerKeptIsNotMissed) {
    make_history();
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    for (int round = 0; round < 3; ++round) {
        value("ep-main", "UPDATE t SET n = n + 1");
        seal();
    }
    ASSERT_OK(manager_->stop("ep-main"));
    auto later = sys::real_clock().now() + std::chrono::hours(1);
    ASSERT_OK(manager_->trim_history(kRoot, later));
    ASSERT_EQ(find_segment(middle_), "") << "the WAL of the first life is still there";
    EXPECT_EQ(text_of(look()), "");
    EXPECT_TRUE(look().orphans.empty());
    // Nor is the WAL of an older restore point, where the oldest that is kept cannot be read.
    auto points = files(".restore");
    ASSERT_EQ(points.size(), 3u);
    for (size_t at = 0; at < 2; ++at) {
        Damage damage = with_flipped(points[at], 40, at == 0);  // the branch began from that one
        EXPECT_EQ(damage.file, points[at]);
    }
}

TEST_P(VerifyTest, ARoundFindsWhatAVerificationFinds) {
    make_history();
    auto round = [&] {
        return manager_->begin_verifying(
            {.bytes_a_second = uint64_t{1} << 40, .stopped = [] { return false; }});
    };
    auto one = round();
    auto whole = one->verify(kRoot);
    ASSERT_OK(whole);
    ASSERT_TRUE(whole->has_value());
    found_ = look();
    EXPECT_EQ((*whole)->damage_count, 0u);
    EXPECT_EQ((*whole)->newest_whole->lsn, of(found_, kRoot).newest_whole->lsn);
    EXPECT_GT((*whole)->bytes, uint64_t{20} << 20);
    auto branch = one->verify(kBranch);
    ASSERT_OK(branch);
    EXPECT_LT((*branch)->bytes, (*whole)->bytes / 2) << "what they share is read once";

    std::string index = files(".index")[0];
    flip(index, 50);
    auto hurt = round()->verify(kRoot);
    ASSERT_OK(hurt);
    found_ = look();
    EXPECT_EQ((*hurt)->damage_count, of(found_, kRoot).damage_count);
    ASSERT_FALSE((*hurt)->damages.empty());
    EXPECT_TRUE((*hurt)->damages[0].starts_with(of(found_, kRoot).damages[0].what + ": "));
    EXPECT_TRUE((*hurt)->summary.starts_with("damages: "));
    flip(index, 50);
    auto gone = round()->verify("00000000000fffff");
    ASSERT_OK(gone);
    EXPECT_FALSE(gone->has_value());
}

TEST_P(VerifyTest, HistoryIsTrimmedWhileARoundPauses) {
    make_history();
    size_t before = files(".restore").size();
    std::atomic<int> asked = 0;
    std::atomic<bool> ends = false;
    std::optional<Result<std::optional<Verified>>> answer;
    std::thread reader([&] {
        auto round = manager_->begin_verifying({.bytes_a_second = 1, .stopped = [&] {
                                                    ++asked;
                                                    return ends.load();
                                                }});
        answer = round->verify(kRoot);
    });
    while (asked < 3) std::this_thread::yield();  // it pauses for the first index
    auto later = sys::real_clock().now() + std::chrono::hours(1);
    EXPECT_TRUE(manager_->trim_history(kRoot, later).ok());
    EXPECT_LT(files(".restore").size(), before);
    EXPECT_FALSE(answer.has_value());
    ends = true;
    reader.join();
    EXPECT_EQ(answer->error().code(), Code::unavailable);
    // What it had read of what has gone since is no damage.
    EXPECT_EQ(of(look(), kRoot).damage_count, 0u);
}

// One major: what is read is Tarn's own. tests/clients/test_verify.py has all three.
INSTANTIATE_TEST_SUITE_P(Postgres, VerifyTest, ::testing::Values(17),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace tarn::compute::testing
