// Moments of the past: branches of them hold what was committed by then, wherever in the history
// they lie.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "compute/attachments.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/lives.h"
#include "store/lineage_record.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "world.h"

namespace tarn::compute::testing {
namespace {

namespace fs = std::filesystem;

class MomentTest : public ComputeTest {
  protected:
    struct Known {
        std::string what;
        LineageId lineage;
        Lsn lsn;
        Time time;
        std::string rows;
    };

    void start_with_table() {
        start_project();
        value("ep-main", "CREATE TABLE t (n int)");
        note("an empty table", "ep-main", kRoot);
    }
    // One more transaction, and what there is after it.
    void add(const std::string& what, const std::string& uid, const LineageId& lineage) {
        value(uid, "INSERT INTO t SELECT generate_series(1, 100)");
        note(what, uid, lineage);
    }
    void note(const std::string& what, const std::string& uid, const LineageId& lineage) {
        auto lsn = Lsn::parse(value(uid, "SELECT pg_current_wal_flush_lsn()"));
        ASSERT_OK(lsn);
        known_.push_back(
            {what, lineage, *lsn, sys::real_clock().now(), value(uid, "SELECT count(*) FROM t")});
    }
    void expect_as_known(const Known& known, const Moment& moment) {
        auto lineage = fmt::format("{:016x}", next_);
        auto uid = fmt::format("ep-{}", next_++);
        auto point = manager_->create_branch(lineage, known.lineage, "", moment);
        ASSERT_OK(point);
        if (std::holds_alternative<Lsn>(moment)) {
            EXPECT_LE(point->lsn, known.lsn) << known.what;
        }
        ASSERT_OK(manager_->start(spec(uid, lineage)));
        EXPECT_EQ(value(uid, "SELECT count(*) FROM t"), known.rows) << known.what;
        ASSERT_OK(manager_->remove(uid));
        ASSERT_OK(manager_->drop_lineage(lineage));
    }
    std::string refusal(const LineageId& lineage, const Moment& moment) {
        auto found = manager_->find_moment(lineage, moment);
        if (found.ok()) return fmt::format("found at {}", found->lsn.text());
        return std::string(info(found.error().code()).api_code) + ": " + found.error().text();
    }
    size_t count_files(const std::string& suffix) const {
        size_t count = 0;
        for (const auto& entry :
             fs::recursive_directory_iterator(directory_ + "/store/lineages/" + kRoot))
            if (entry.path().string().ends_with(suffix)) ++count;
        return count;
    }

    // Segments that an incarnation of the root has, archived or not, compressed or not.
    size_t count_wal(const std::string& incarnation) const {
        constexpr size_t kNameLength = 24;
        std::set<std::string> segments;
        for (const char* name : {"wal", "wal_archive"})
            for (const auto& entry : fs::directory_iterator(fmt::format(
                     "{}/store/lineages/{}/{}/{}", directory_, kRoot, incarnation, name)))
                if (auto file = entry.path().filename().string();
                    file.size() == kNameLength || file.ends_with(".zst"))
                    segments.insert(file.substr(0, kNameLength));
        return segments.size();
    }

    std::vector<Known> known_;
    uint64_t next_ = 0xb0001;
};

// H1
TEST_P(MomentTest, EachIsWhatWasCommittedByThen) {
    start_with_table();
    add("before a checkpoint", "ep-main", kRoot);
    value("ep-main", "CHECKPOINT");
    add("after a checkpoint", "ep-main", kRoot);
    ASSERT_OK(manager_->stop("ep-main"));
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    add("after a clean sleep", "ep-main", kRoot);
    kill_compute("ep-main", kRoot);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    add("after a crash, before its first checkpoint", "ep-main", kRoot);
    value("ep-main", "CHECKPOINT");
    add("after the first checkpoint of the second life", "ep-main", kRoot);
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    const size_t own = known_.size();
    add("on the branch", "ep-branch", kBranch);
    kill_compute("ep-main", kRoot);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    add("of the parent, after the branch was made", "ep-main", kRoot);

    for (const Known& known : known_) {
        expect_as_known(known, known.lsn);
        expect_as_known(known, known.time);
    }
    // Before its own beginning a branch has its parent's past, and no other future.
    for (size_t at = 0; at < own; ++at) {
        Known inherited = known_[at];
        inherited.lineage = kBranch;
        expect_as_known(inherited, inherited.lsn);
        expect_as_known(inherited, inherited.time);
    }
}

TEST_P(MomentTest, InsideARecordMeansBeforeIt) {
    start_with_table();
    Known before = known_.back();
    add("later", "ep-main", kRoot);
    expect_as_known(before, Lsn{before.lsn.value + 8});
}

TEST_P(MomentTest, ABranchOfAPastMomentHasAPastOfItsOwn) {
    start_with_table();
    add("shared", "ep-main", kRoot);
    Known shared = known_.back();
    add("not shared", "ep-main", kRoot);
    Known hidden = known_.back();
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "", shared.time));
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    value("ep-branch", "DELETE FROM t");
    note("emptied", "ep-branch", kBranch);
    expect_as_known(known_.back(), known_.back().time);
    // Between the moment that it was made of and its making nothing was committed on its line.
    shared.lineage = kBranch;
    expect_as_known(shared, hidden.time);
    expect_as_known(shared, shared.lsn);
    // Nor does its parent have to be there for that, once it has let go of that time.
    value("ep-main", "CHECKPOINT");
    value("ep-main", "CHECKPOINT");
    ASSERT_OK(manager_->stop("ep-main"));
    ASSERT_OK(manager_->trim_history(kRoot, sys::real_clock().now() + std::chrono::hours(1)));
    expect_as_known(shared, hidden.time);
}

// Where an incarnation begins is a moment of its own WAL too.
TEST_P(MomentTest, TheBeginningOfABranchIsAMomentOfIt) {
    start_with_table();
    add("shared", "ep-main", kRoot);
    Known beginning = known_.back();
    auto point = manager_->create_branch(kBranch, kRoot, "", beginning.time);
    ASSERT_OK(point);
    beginning.lineage = kBranch;
    beginning.lsn = point->lsn;
    expect_as_known(beginning, point->lsn);
    expect_as_known(beginning, point->time);
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    value("ep-branch", "DELETE FROM t");
    expect_as_known(beginning, point->lsn);
    value("ep-branch", "CHECKPOINT");
    ASSERT_OK(manager_->stop("ep-branch"));
    expect_as_known(beginning, point->lsn);
}

// H1
TEST_P(MomentTest, DamagedWalIsDataLossAndNoOtherMoment) {
    start_with_table();
    add("before the damage", "ep-main", kRoot);
    Known whole = known_.back();
    add("damaged", "ep-main", kRoot);
    kill_compute("ep-main", kRoot);
    Lsn at = known_.back().lsn;
    std::string path = fmt::format("{}/store/lineages/{}/00000001/wal/00000001000000000000{:04X}",
                                   directory_, kRoot, at.value >> 24);
    std::fstream segment(path, std::ios::in | std::ios::out | std::ios::binary);
    segment.seekp(static_cast<std::streamoff>((at.value - 40) & 0xffffff));
    segment.write("damaged", 7);
    segment.close();
    ASSERT_TRUE(segment.good()) << path;
    EXPECT_TRUE(refusal(kRoot, known_.back().time).starts_with("DATA_LOSS"))
        << refusal(kRoot, known_.back().time);
    EXPECT_TRUE(refusal(kRoot, at).starts_with("DATA_LOSS")) << refusal(kRoot, at);
    expect_as_known(whole, whole.lsn);
}

// The clock was a day ahead when the second life began.
TEST_P(MomentTest, AClockThatWasAheadHidesNoLife) {
    start_with_table();
    add("first life", "ep-main", kRoot);
    kill_compute("ep-main", kRoot);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    add("second life", "ep-main", kRoot);
    ASSERT_OK(manager_->stop("ep-main"));
    auto store = store::Store::open(sys::real_disk(), directory_ + "/store");
    ASSERT_OK(store);
    store::LogId log{*parse_lineage_id(kRoot), 2};
    auto record = store->incarnation(log);
    ASSERT_OK(record);
    record->attachments[incarnation_key::begun] =
        rfc3339(sys::real_clock().now() + std::chrono::hours(24));
    auto path = fmt::format("{}/store/lineages/{}/00000002/incarnation", directory_, kRoot);
    ASSERT_OK(sys::write_scratch(sys::real_disk(), path, store::encode(*record)));
    for (const Known& known : known_) expect_as_known(known, known.time);
}

TEST_P(MomentTest, OutsideTheHistoryIsRefused) {
    start_with_table();
    EXPECT_NE(refusal(kRoot, Lsn{known_[0].lsn.value + (1 << 20)}).find("is ahead of the newest"),
              std::string::npos);
    EXPECT_NE(refusal(kRoot, Lsn{1}).find("before the beginning of the project"),
              std::string::npos);
    EXPECT_NE(refusal(kRoot, known_[0].time - std::chrono::hours(1)).find("before the beginning"),
              std::string::npos);
    ASSERT_OK(manager_->begin_history(kRoot));
    add("later", "ep-main", kRoot);
    EXPECT_NE(refusal(kRoot, known_[0].time).find("before the history that is kept"),
              std::string::npos);
    EXPECT_TRUE(refusal(kRoot, Lsn{known_[0].lsn.value - 8}).starts_with("BAD_REQUEST"));
    expect_as_known(known_[1], known_[1].time);
}

TEST_P(MomentTest, IsOpenedFromCompressedWal) {
    start_with_table();
    for (int round = 0; round < 3; ++round) {
        value("ep-main", "SELECT pg_switch_wal()");
        add(fmt::format("round {}", round), "ep-main", kRoot);
        value("ep-main", "CHECKPOINT");
    }
    std::string archive =
        fmt::format("{}/store/lineages/{}/00000001/wal_archive", directory_, kRoot);
    // Three are done with; another thread sees that.
    while (count_files(".zst") < 3) std::this_thread::yield();
    ASSERT_OK(manager_->trim_history(kRoot, known_[0].time - std::chrono::hours(1)));
    for (const auto& entry : fs::directory_iterator(archive))
        EXPECT_TRUE(entry.path().string().ends_with(".zst")) << entry.path();
    for (const Known& known : known_) {
        expect_as_known(known, known.lsn);
        expect_as_known(known, known.time);
    }
    kill_compute("ep-main", kRoot);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), known_.back().rows);

    for (const auto& entry : fs::directory_iterator(archive))
        std::fstream(entry.path(), std::ios::in | std::ios::out | std::ios::binary) << "damaged";
    std::string refused = refusal(kRoot, known_[0].lsn);
    EXPECT_TRUE(refused.starts_with("DATA_LOSS")) << refused;
    EXPECT_NE(refused.find(".zst"), std::string::npos) << refused;
}

TEST_P(MomentTest, WalOfALifeThatEndedIsCompressedToo) {
    start_with_table();
    for (int round = 0; round < 2; ++round) {
        value("ep-main", "SELECT pg_switch_wal()");
        add(fmt::format("round {}", round), "ep-main", kRoot);
    }
    kill_compute("ep-main", kRoot);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    add("the next life", "ep-main", kRoot);
    size_t before = count_files(".restore"), segments = count_wal("00000001");
    ASSERT_GE(segments, 3u);
    value("ep-main", "CHECKPOINT");
    while (count_files(".restore") == before) std::this_thread::yield();

    // Three segments were written to; more were made ahead.
    std::string archive =
        fmt::format("{}/store/lineages/{}/00000001/wal_archive", directory_, kRoot);
    auto count = [&](bool compressed) {
        return std::count_if(fs::directory_iterator(archive), {}, [&](const auto& entry) {
            return entry.path().string().ends_with(".zst") == compressed;
        });
    };
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (count(true) < 3 || count(false) > 0) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << count(true) << " are compressed";
        ASSERT_OK(manager_->trim_history(kRoot, known_[0].time - std::chrono::hours(1)));
        std::this_thread::yield();
    }
    EXPECT_LE(count_wal("00000001"), segments);
    for (const Known& known : known_) expect_as_known(known, known.lsn);
    kill_compute("ep-main", kRoot);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), known_.back().rows);
}

// H2
TEST_P(MomentTest, HistoryThatIsLetGoOfTakesItsFilesAndNoOther) {
    start_with_table();
    for (int life = 0; life < 2; ++life) {
        for (int round = 0; round < 3; ++round) {
            value("ep-main", "SELECT pg_switch_wal()");
            add(fmt::format("life {}, round {}", life, round), "ep-main", kRoot);
            value("ep-main", "CHECKPOINT");
            ASSERT_OK(manager_->query("ep-main", "postgres", "SELECT 1"));
        }
        ASSERT_OK(manager_->stop("ep-main"));
        if (life == 0) {
            fs::remove(directory_ + "/store/lineages/" + kRoot + "/00000001/clean");
            ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
        }
    }
    size_t points = count_files(".restore");
    ASSERT_OK(manager_->trim_history(kRoot, known_[0].time - std::chrono::hours(1)));
    EXPECT_EQ(count_files(".restore"), points) << "nothing is that old";

    ASSERT_GE(count_wal("00000001"), 4u);
    for (size_t oldest : {3u, 6u}) {
        ASSERT_OK(manager_->trim_history(kRoot, known_[oldest].time));
        EXPECT_LT(count_files(".restore"), points);
        points = count_files(".restore");
        EXPECT_NE(refusal(kRoot, known_[0].time).find("before the history that is kept"),
                  std::string::npos);
        for (size_t at = oldest; at < known_.size(); ++at) {
            expect_as_known(known_[at], known_[at].lsn);
            expect_as_known(known_[at], known_[at].time);
        }
    }
    size_t indexes = count_files(".index");
    ASSERT_OK(manager_->trim_history(kRoot, sys::real_clock().now() + std::chrono::hours(1)));
    EXPECT_LT(count_files(".index"), indexes);
    EXPECT_EQ(count_wal("00000001"), 0u);
    EXPECT_LE(count_wal("00000002"), 3u);
    EXPECT_EQ(count_files(".restore"), 3u) << "the newest two, and what the second life began from";
    EXPECT_NE(refusal(kRoot, known_.back().time).find("before the history that is kept"),
              std::string::npos);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), known_.back().rows);
}

// The server's part alone, whatever has written the pages: one major.
struct HistoryRoundTest : MomentTest {
    // The computes' user calls it.
    void open_store() {
        auto store = store::Store::open(sys::real_disk(), directory_ + "/store");
        ASSERT_OK(store);
        store_ = std::move(*store);
    }
    // Four thousand rows of a page's eighth each, and a restore point of them.
    void make_wide_table() {
        value("ep-main",
              "SELECT 1; CREATE TABLE wide AS SELECT n, repeat('x', 1000) AS body "
              "FROM generate_series(1, 4000) n");
        value("ep-main", "CHECKPOINT");
    }
    void update_wide_table(const char* letter) {
        value("ep-main", fmt::format("UPDATE wide SET body = repeat('{}', 1000)", letter));
    }
    // The packed files that there are after a round. By the computes' user.
    size_t packed_after_round(Time begun) {
        store::Origins origins;
        HistoryRounds rounds;
        auto done =
            trim_history(*store_, lineage_, begun, sys::real_clock().now(), {}, origins, rounds);
        EXPECT_TRUE(done.ok()) << (done.ok() ? "" : done.error().text());
        return count_files(".packed");
    }
    std::optional<store::Store> store_;
    const uint64_t lineage_ = *parse_lineage_id(kRoot);
};

// Nothing but the window keeps what lies between the oldest and the newest two here.
TEST_P(HistoryRoundTest, AWindowKeepsWhatIsToBecomeItsOldest) {
    start_with_table();
    for (int round = 0; round < 7; ++round) {
        add("round", "ep-main", kRoot);
        size_t before = count_files(".restore");
        value("ep-main", "CHECKPOINT");
        while (count_files(".restore") == before) std::this_thread::yield();
    }
    ASSERT_OK(manager_->stop("ep-main"));
    auto user = find_compute_user("");
    ASSERT_OK(user);
    ActAs acting(*user);
    ASSERT_NO_FATAL_FAILURE(open_store());
    auto ids = store_->restore_points(lineage_);
    ASSERT_OK(ids);
    ASSERT_GE(ids->size(), 6u);
    auto oldest = (*ids)[1], newest_but_one = (*ids)[ids->size() - 2];
    std::vector<Time> taken;
    for (const auto& id : {oldest, newest_but_one}) {
        auto point = store_->restore_point(id);
        ASSERT_OK(point);
        auto time = taken_at(*point);
        ASSERT_OK(time);
        taken.push_back(*time);
    }
    store::Origins origins;
    HistoryRounds rounds;
    HistoryLimits limits{.dense = Span{0}, .budget = 0, .budget_least = 0};
    auto left_between = [&](Time now) {
        auto trimmed = trim_history(*store_, lineage_, taken[0], now, limits, origins, rounds);
        EXPECT_TRUE(trimmed.ok());
        return std::count_if(rounds.points.begin(), rounds.points.end(),
                             [&](const auto& id) { return oldest < id && id < newest_but_one; });
    };
    auto all = static_cast<ptrdiff_t>(ids->size()) - 4;
    auto anchors = left_between(taken[1]);
    EXPECT_GT(anchors, 0);
    EXPECT_LT(anchors, all);
    EXPECT_EQ(left_between(taken[1] + std::chrono::hours(24)), 0);
}

// A life that has restore points of its own, wanted from before the first of them.
TEST_P(MomentTest, HistoryCanBeginWithALife) {
    start_with_table();
    add("first life", "ep-main", kRoot);
    value("ep-main", "CHECKPOINT");
    kill_compute("ep-main", kRoot);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    add("second life, before its first checkpoint", "ep-main", kRoot);
    Known known = known_.back();
    value("ep-main", "CHECKPOINT");
    ASSERT_OK(manager_->stop("ep-main"));
    ASSERT_OK(manager_->trim_history(kRoot, known.time));
    EXPECT_NE(refusal(kRoot, known_[1].time).find("before the history that is kept"),
              std::string::npos);
    expect_as_known(known, known.lsn);
    expect_as_known(known, known.time);
    ASSERT_OK(manager_->start(spec("ep-main", kRoot)));
    EXPECT_EQ(value("ep-main", "SELECT count(*) FROM t"), known.rows);
}

// H3
TEST_P(MomentTest, NothingGoesWhileSomebodyHoldsIt) {
    start_with_table();
    for (int round = 0; round < 3; ++round) {
        add("round", "ep-main", kRoot);
        value("ep-main", "CHECKPOINT");
    }
    ASSERT_OK(manager_->stop("ep-main"));
    size_t points = count_files(".restore");
    ASSERT_GT(points, 2u);
    ASSERT_OK(manager_->find_moment(kRoot, Newest{}));  // its user makes the lock's file
    auto store = store::Store::open(sys::real_disk(), directory_ + "/store");
    ASSERT_OK(store);
    ASSERT_OK(manager_->trim_history(kRoot, known_[0].time - std::chrono::hours(1)));
    ASSERT_TRUE(manager_->history(kRoot));
    Time before = manager_->history(kRoot)->measured;
    Time later = sys::real_clock().now() + std::chrono::hours(1);
    {
        auto held = hold_history(*store, *parse_lineage_id(kRoot));
        ASSERT_OK(held);
        ASSERT_OK(manager_->trim_history(kRoot, later));
        EXPECT_EQ(count_files(".restore"), points);
        auto cost = manager_->history(kRoot);
        ASSERT_TRUE(cost);
        EXPECT_EQ(cost->measured, before) << "nothing was looked at";
    }
    ASSERT_OK(manager_->trim_history(kRoot, later));
    EXPECT_EQ(count_files(".restore"), 2u);
}

// Or a copy of the files, one after the other, could have a page in none of them.
TEST_P(HistoryRoundTest, NothingIsPackedWhileSomebodyCopiesTheFiles) {
    start_with_table();
    Time begun = sys::real_clock().now();
    make_wide_table();
    update_wide_table("a");
    ASSERT_OK(manager_->stop("ep-main"));
    auto user = find_compute_user("");
    ASSERT_OK(user);
    ActAs acting(*user);
    ASSERT_NO_FATAL_FAILURE(open_store());
    {
        auto held = hold_packing(*store_, lineage_);
        ASSERT_OK(held);
        EXPECT_EQ(packed_after_round(begun), 0u);
    }
    EXPECT_EQ(packed_after_round(begun), 1u);
}

// Unpacking takes time at each read.
TEST_P(HistoryRoundTest, WhatABranchReadsStaysPlain) {
    start_with_table();
    Time begun = sys::real_clock().now();
    make_wide_table();
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    update_wide_table("a");
    ASSERT_OK(manager_->stop("ep-main"));
    auto user = find_compute_user("");
    ASSERT_OK(user);
    {
        ActAs acting(*user);
        ASSERT_NO_FATAL_FAILURE(open_store());
        EXPECT_EQ(packed_after_round(begun), 0u);
    }
    ASSERT_OK(manager_->drop_lineage(kBranch));
    ActAs acting(*user);
    EXPECT_EQ(packed_after_round(begun), 1u);
}

// What a restore set aside is not the new state's past, and is not taken for it.
TEST_P(MomentTest, WhatWasSetAsideIsRefused) {
    start_with_table();
    add("to be restored", "ep-main", kRoot);
    add("to be set aside", "ep-main", kRoot);
    const auto [before, wanted, set_aside] = std::tuple(known_[0], known_[1], known_[2]);
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "", wanted.time));
    ASSERT_OK(manager_->set_aside(kBranch, wanted.time));
    Time restored = sys::real_clock().now();
    EXPECT_NE(refusal(kBranch, set_aside.time).find("in what was set aside"), std::string::npos)
        << refusal(kBranch, set_aside.time);
    for (const Moment& moment : {Moment{before.time}, Moment{wanted.time}, Moment{restored}}) {
        auto found = manager_->find_moment(kBranch, moment);
        ASSERT_OK(found);
        EXPECT_LT(found->lsn, set_aside.lsn);
    }
    Known of_branch = wanted;
    of_branch.lineage = kBranch;
    expect_as_known(of_branch, restored);
    // Nor for a branch of it.
    const char* child = "00000000000a0003";
    ASSERT_OK(manager_->create_branch(child, kBranch, "", Newest{}));
    EXPECT_NE(refusal(child, set_aside.time).find("in what was set aside"), std::string::npos);
}

// A dropped lineage that another needs is nobody's branch any more, and is trimmed with that one.
TEST_P(MomentTest, HistoryOfADroppedAncestorGoesToo) {
    start_with_table();
    value("ep-main", "CHECKPOINT");
    while (count_files(".restore") == 0) std::this_thread::yield();
    ASSERT_OK(manager_->create_branch(kBranch, kRoot, "ep-main", Newest{}));
    for (int i = 0; i < 3; ++i) {
        add("of the dropped one", "ep-main", kRoot);
        value("ep-main", "CHECKPOINT");
    }
    ASSERT_OK(manager_->remove("ep-main"));
    const size_t points = count_files(".restore");
    ASSERT_OK(manager_->drop_lineage(kRoot));
    Time later = sys::real_clock().now();
    ASSERT_OK(manager_->trim_history(kBranch, known_.front().time));
    EXPECT_EQ(count_files(".restore"), points) << "still in the window";
    ASSERT_OK(manager_->trim_history(kBranch, later));
    EXPECT_LT(count_files(".restore"), points);
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    EXPECT_EQ(value("ep-branch", "SELECT count(*) FROM t"), known_.front().rows);
}

// PostgreSQL reads prepared transactions back from WAL when its recovery ends.
TEST_P(MomentTest, PreparedTransactionsAreThereAtTheBeginningOfALife) {
    ASSERT_OK(manager_->create_root(kRoot, GetParam()));
    auto parent = spec("ep-main", kRoot);
    parent.pg_settings = {{"max_prepared_transactions", "5"}};
    ASSERT_OK(manager_->start(parent));
    value("ep-main", "CREATE TABLE t (n int)");
    value("ep-main", "CHECKPOINT");
    value("ep-main", "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'open'");
    auto point = manager_->create_branch(kBranch, kRoot, "", sys::real_clock().now());
    ASSERT_OK(point);
    ASSERT_OK(manager_->start(spec("ep-branch", kBranch)));
    const char* again = "00000000000a0003";
    ASSERT_OK(manager_->create_branch(again, kBranch, "", point->lsn));
    ASSERT_OK(manager_->start(spec("ep-again", again)));
    EXPECT_EQ(value("ep-again", "SELECT gid FROM pg_prepared_xacts"), "open");
    value("ep-again", "COMMIT PREPARED 'open'");
    EXPECT_EQ(value("ep-again", "SELECT count(*) FROM t"), "1");
}

INSTANTIATE_TEST_SUITE_P(Postgres, MomentTest, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Postgres, HistoryRoundTest, ::testing::Values(17),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace tarn::compute::testing
