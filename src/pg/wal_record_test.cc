#include "pg/wal_record.h"

#include <gtest/gtest.h>

#include "pg/test_cluster.h"
#include "pg/test_random.h"
#include "pg/test_wal.h"

namespace tarn::pg {
namespace {

using testing::Backend;
using testing::Cluster;

std::vector<WalEvent> events_of(const testing::WalBytes& wal, const WalWalkerOptions& options,
                                Lsn from) {
    std::vector<WalEvent> events;
    WalWalker walker(options, {.lsn = from.value, .previous = 0, .tli = 0});
    WalRecord record;
    while (walker.next(wal.window(), &record) == WalStep::record) {
        auto event = decode_event(record);
        if (!event.ok())
            ADD_FAILURE() << event.error().text();
        else if (event->has_value())
            events.push_back(**event);
    }
    return events;
}

class WalEventOf : public ::testing::TestWithParam<int> {
  protected:
    void SetUp() override {
        TARN_NEED_POSTGRES(GetParam());
        auto made = Cluster::create(GetParam());
        ASSERT_TRUE(made.ok()) << made.error().text();
        cluster_.emplace(std::move(made).value());
        auto backend =
            cluster_->start({"track_commit_timestamp=on", "max_prepared_transactions=5"});
        ASSERT_TRUE(backend.ok()) << backend.error().text();
        backend_.emplace(std::move(backend).value());
        begin_ = control().checkpoint_copy.redo;
        backend_->run("create table t (id int)");
    }
    ControlFile control() {
        return decode_control_file(testing::read_file(cluster_->data() + "/global/pg_control"))
            .value();
    }
    std::vector<WalEvent> events() {
        auto now = control();
        return events_of(testing::load_wal(cluster_->data(), now.wal_segment_size),
                         {.major = now.major,
                          .segment_size = now.wal_segment_size,
                          .system_identifier = now.system_identifier},
                         begin_);
    }
    // Those of one kind and transaction.
    std::vector<WalEvent> events(WalEventKind kind, uint32_t xid) {
        auto all = events();
        std::erase_if(all, [&](auto& event) { return event.kind != kind || event.xid != xid; });
        return all;
    }
    // Runs the statements in one transaction and gives its xid.
    uint32_t in_transaction(std::initializer_list<const char*> statements, const char* end) {
        backend_->run("begin");
        for (const char* statement : statements) backend_->run(statement);
        auto xid = backend_->value("select pg_current_xact_id()::text");
        backend_->run(end);
        return static_cast<uint32_t>(std::stoul(xid));
    }
    Time time(const std::string& expression) {
        auto micros = backend_->value(
            fmt::format("select (extract(epoch from ({})) * 1000000)::int8::text", expression));
        return Time(std::chrono::microseconds(std::stoll(micros)));
    }

    std::optional<Cluster> cluster_;
    std::optional<Backend> backend_;
    Lsn begin_;
};

TEST_P(WalEventOf, CommitsHaveTheTimesThatTheServerKeeps) {
    std::vector<uint32_t> xids = {
        in_transaction({"insert into t values (1)"}, "commit"),
        in_transaction({"create table u (id int primary key)", "savepoint a", "drop table u",
                        "rollback to a", "savepoint b", "insert into u values (1)"},
                       "commit")};
    // A replication origin puts one more header before the data.
    backend_->run("select pg_replication_origin_create('there')");
    backend_->run("select pg_replication_origin_session_setup('there')");
    backend_->run("begin");
    backend_->run("select pg_replication_origin_xact_setup('0/1234', now())");
    backend_->run("insert into t values (2)");
    xids.push_back(
        static_cast<uint32_t>(std::stoul(backend_->value("select pg_current_xact_id()::text"))));
    Time replayed_at = time("now()");
    backend_->run("commit");
    for (uint32_t xid : xids) {
        auto found = events(WalEventKind::commit, xid);
        ASSERT_EQ(found.size(), 1u) << xid;
        // With an origin the server keeps the origin's time; the record still has its own.
        if (xid != xids.back())
            EXPECT_EQ(found[0].time, time(fmt::format("pg_xact_commit_timestamp('{}')", xid)));
        else
            EXPECT_GE(found[0].time, replayed_at);
    }
}

TEST_P(WalEventOf, AbortsAndPreparedTransactionsAreSeen) {
    Time before = time("clock_timestamp()");
    auto aborted = in_transaction({"insert into t values (1)"}, "rollback");
    auto kept = in_transaction({"insert into t values (2)"}, "prepare transaction 'kept'");
    auto dropped = in_transaction({"insert into t values (3)"}, "prepare transaction 'dropped'");
    Time kept_at = time("select prepared from pg_prepared_xacts where gid = 'kept'");
    backend_->run("commit prepared 'kept'");
    backend_->run("rollback prepared 'dropped'");
    Time after = time("clock_timestamp()");

    auto abort = events(WalEventKind::abort, aborted);
    ASSERT_EQ(abort.size(), 1u);
    EXPECT_TRUE(before <= abort[0].time && abort[0].time <= after);
    auto prepare = events(WalEventKind::prepare, kept);
    ASSERT_EQ(prepare.size(), 1u);
    EXPECT_EQ(prepare[0].time, kept_at);
    EXPECT_EQ(events(WalEventKind::prepare, dropped).size(), 1u);
    for (auto kind : {WalEventKind::commit, WalEventKind::abort}) {
        auto ends = events(kind, 0);
        std::erase_if(ends, [&](auto& event) { return event.time < before; });
        ASSERT_EQ(ends.size(), 1u) << static_cast<int>(kind);
        EXPECT_TRUE(kept_at <= ends[0].time && ends[0].time <= after);
    }
    EXPECT_EQ(time(fmt::format("pg_xact_commit_timestamp('{}')", kept)),
              events(WalEventKind::commit, 0).back().time);
}

TEST_P(WalEventOf, CheckpointsAndRestorePointsAreThoseOfTheServer) {
    backend_->run("select pg_create_restore_point('here')");
    backend_->run("checkpoint");
    ControlFile online = control();
    backend_->finish();
    ControlFile last = control();
    std::vector<WalEvent> points;
    for (auto& event : events())
        if (event.checkpoint || event.kind == WalEventKind::restore_point) points.push_back(event);
    ASSERT_EQ(points.size(), 4u);  // the start's shutdown checkpoint, then ours
    EXPECT_EQ(points[0].kind, WalEventKind::checkpoint_shutdown);
    EXPECT_EQ(points[0].checkpoint->redo, begin_);
    EXPECT_EQ(points[1].kind, WalEventKind::restore_point);
    EXPECT_EQ(points[1].name, "here");
    EXPECT_EQ(points[2].kind, WalEventKind::checkpoint_online);
    EXPECT_EQ(points[2].checkpoint->redo, online.checkpoint_copy.redo);
    EXPECT_EQ(points[2].time, online.checkpoint_copy.time);
    EXPECT_EQ(points[2].tli, 1u);
    EXPECT_EQ(points[3].kind, WalEventKind::checkpoint_shutdown);
    EXPECT_EQ(points[3].checkpoint->redo, last.checkpoint_copy.redo);
    EXPECT_EQ(points[3].checkpoint->next_xid, last.checkpoint_copy.next_xid);
    EXPECT_EQ(last.checkpoint_copy.redo, last.checkpoint);
}

INSTANTIATE_TEST_SUITE_P(Postgres, WalEventOf, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());

TEST(WalEvent, AnyBytesInARecordAreAnEventOrAnError) {
    auto random = testing::seeded_random();
    int events = 0;
    int errors = 0;
    for (int round = 0; round < 50000; ++round) {
        std::byte prefix[WalWalker::kPrefixSize];
        for (auto& byte : prefix) byte = static_cast<std::byte>(random());
        // Often a plausible header, so that the contents are reached.
        if (random() % 2) prefix[24] = static_cast<std::byte>(252 + random() % 4);
        WalRecord record{.start = 4096, .rmid = static_cast<uint8_t>(random() % 3)};
        record.info = static_cast<uint8_t>(random());
        record.prefix = prefix;
        record.prefix_size = random() % (sizeof prefix + 1);
        auto event = decode_event(record);
        if (!event.ok()) {
            ++errors;
            EXPECT_EQ(event.error().code(), Code::data_loss);
        } else if (event->has_value()) {
            ++events;
        }
    }
    EXPECT_GT(events, 500);
    EXPECT_GT(errors, 500);
}

TEST(WalEvent, TimestampsAtTheEndsOfTheRangeStayInIt) {
    EXPECT_EQ(rfc3339(from_postgres_timestamp(0)), "2000-01-01T00:00:00Z");
    EXPECT_GT(from_postgres_timestamp(INT64_MAX), from_postgres_timestamp(0));
    EXPECT_LT(from_postgres_timestamp(INT64_MIN), from_postgres_timestamp(0));
}

TEST(WalSegment, WithoutAHeaderGetsNoSystemIdentifier) {
    std::vector<std::byte> segment(kWalPageSize);
    EXPECT_EQ(patch_segment_system_identifier(segment, 1).error().code(), Code::data_loss);
    EXPECT_EQ(patch_segment_system_identifier({}, 1).error().code(), Code::data_loss);
}

}  // namespace
}  // namespace tarn::pg
