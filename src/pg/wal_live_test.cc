// The logs of clusters that run, crash, and are promoted, and what PostgreSQL itself makes of the
// control files and segments that Tarn changes.
#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "pg/history_file.h"
#include "pg/test_cluster.h"
#include "pg/test_wal.h"
#include "pg/wal_record.h"

namespace tarn::pg {
namespace {

using testing::Backend;
using testing::Cluster;

class WalLive : public ::testing::TestWithParam<int> {
  protected:
    void SetUp() override {
        TARN_NEED_POSTGRES(GetParam());
        auto made = Cluster::create(GetParam(), {"--wal-segsize=1"});
        ASSERT_TRUE(made.ok()) << made.error().text();
        cluster_.emplace(std::move(made).value());
    }
    Backend start() {
        auto backend = cluster_->start({"wal_keep_size=1GB", "wal_recycle=off"});
        CHECK(backend.ok(), "{}", backend.error().text());
        return std::move(backend).value();
    }
    std::string control_path() const { return cluster_->data() + "/global/pg_control"; }
    ControlFile control() {
        return decode_control_file(testing::read_file(control_path())).value();
    }
    testing::WalBytes wal() { return testing::load_wal(cluster_->data(), 1 << 20); }
    WalWalker walker(Lsn from) {
        auto now = control();
        return WalWalker({.major = now.major,
                          .segment_size = now.wal_segment_size,
                          .system_identifier = now.system_identifier},
                         {.lsn = from.value, .previous = 0, .tli = 0});
    }
    static Lsn flushed(Backend& backend) {
        return Lsn::parse(backend.value("select pg_current_wal_flush_lsn()::text")).value();
    }
    std::string segment_path(uint32_t tli, uint64_t lsn) const {
        char name[kWalNameLength + 1];
        format_wal_name(tli, lsn >> 20, 1 << 20, name);
        return cluster_->data() + "/pg_wal/" + name;
    }
    void write_wal(const testing::WalBytes& bytes, uint32_t tli) {
        for (size_t at = 0; at < bytes.bytes.size(); at += 1 << 20)
            ASSERT_TRUE(
                testing::write_file(segment_path(tli, bytes.lsn + at), &bytes.bytes[at], 1 << 20));
    }

    std::optional<Cluster> cluster_;
};

// As the shim does it at each sync: one walker for ever, bytes behind its position read anew.
TEST_P(WalLive, AWalkerThatGoesOnAlwaysEndsWhereTheServerFlushed) {
    auto backend = start();
    backend.run("create table t (id int primary key, text text)");
    WalWalker walker = this->walker(control().checkpoint_copy.redo);
    size_t syncs_with_records = 0;
    for (int i = 0; i < 60; ++i) {
        switch (i % 5) {
            case 0:
                backend.run(
                    fmt::format("insert into t select {} * 1000 + j, repeat('x', {}) from "
                                "generate_series(1, 20) j",
                                i, i * 7));
                break;
            case 1:
                backend.run(fmt::format(
                    "select pg_logical_emit_message(true, 'a', repeat('b', {}))", i * i * 10));
                break;
            case 2:
                backend.run("update t set text = text || 'y' where id % 7 = 1");
                break;
            case 3:
                backend.run(i % 20 == 3 ? "select pg_switch_wal()"
                                        : "delete from t where id % 11 = 0");
                break;
            case 4:
                if (i % 20 == 4) backend.run("checkpoint");
                break;
        }
        Lsn flushed = this->flushed(backend);
        auto bytes = wal();
        walker.rewind();
        uint64_t first = walker.needed();
        ASSERT_GE(first, bytes.lsn);
        WalWindow window{first, &bytes.at(first), static_cast<size_t>(bytes.end() - first)};
        WalRecord record;
        size_t records = 0;
        while (walker.next(window, &record) == WalStep::record) ++records;
        syncs_with_records += records > 0;
        ASSERT_EQ(Lsn{walker.position().lsn}.text(), flushed.text()) << "statement " << i;
    }
    EXPECT_GT(syncs_with_records, 45u);
}

TEST_P(WalLive, ARecordThatACrashLeftUnfinishedIsPutAside) {
    auto backend = start();
    backend.run("create table t (id int)");
    Lsn begin = control().checkpoint_copy.redo;
    backend.run("select pg_logical_emit_message(true, 'tarn', repeat('z', 100000))");
    backend.kill();
    auto before = testing::walk(walker(begin), {wal().window()});
    auto lost = std::find_if(before.records.begin(), before.records.end(),
                             [](const WalRecord& record) { return record.total_length > 100000; });
    ASSERT_NE(lost, before.records.end());
    auto bytes = wal();
    uint64_t cut = (lost->start / kWalPageSize + 3) * kWalPageSize;
    std::fill(bytes.bytes.begin() + static_cast<ptrdiff_t>(cut - bytes.lsn), bytes.bytes.end(),
              std::byte{0});
    write_wal(bytes, 1);
    auto damaged = testing::walk(walker(begin), {bytes.window()});
    EXPECT_EQ(damaged.stop, WalStop::empty_page);
    EXPECT_EQ(damaged.position.lsn, lost->start);

    auto again = start();
    again.run("insert into t values (1)");
    Lsn end = flushed(again);
    bytes = wal();
    auto after = testing::walk(walker(begin), {bytes.window()});
    EXPECT_EQ(Lsn{after.position.lsn}.text(), end.text());
    auto found = std::find_if(after.records.begin(), after.records.end(),
                              [](const WalRecord& record) { return record.overwritten != 0; });
    ASSERT_NE(found, after.records.end());
    EXPECT_EQ(found->overwritten, lost->start);
    EXPECT_EQ(found->start, cut + wal_page_offset::short_size);
    EXPECT_EQ(found->info & kWalInfoMask, xlog_info::overwrite_contrecord);
    EXPECT_EQ(testing::walk(walker({found->start}), {bytes.window()}).position.lsn, end.value)
        << "a walk may begin behind the unfinished record";

    // The same with the position of another record in it, under a right CRC.
    bytes.at(found->start + wal_record_offset::header_size + 2) ^= std::byte{8};
    auto* record = &bytes.at(found->start);
    uint32_t crc = crc32c(0, record + wal_record_offset::header_size,
                          found->total_length - wal_record_offset::header_size);
    put(record, wal_record_offset::crc, crc32c(crc, record, wal_record_offset::crc));
    auto tampered = testing::walk(walker(begin), {bytes.window()});
    EXPECT_EQ(tampered.stop, WalStop::wrong_overwrite);
    EXPECT_EQ(tampered.position.lsn, lost->start);
}

// Recovery as Tarn runs it: a crashed cluster, under a new system identifier, up to a point.
class Recovery : public WalLive {
  protected:
    void SetUp() override {
        WalLive::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        auto backend = start();
        backend.run("create table t as select generate_series(1, 1000) id");
        backend.run("checkpoint");
        redo_ = control().checkpoint_copy.redo;
        backend.run("insert into t values (2000)");
        flushed_ = flushed(backend);
        backend.kill();
    }
    void prepare(Lsn min_recovery_point) {
        auto renamed = with_system_identifier(testing::read_file(control_path()), kIdentifier);
        ASSERT_TRUE(renamed.ok()) << renamed.error().text();
        auto image = as_archive_recovery(*renamed, min_recovery_point, 1);
        ASSERT_TRUE(image.ok()) << image.error().text();
        ASSERT_TRUE(testing::write_file(control_path(), image->data(), image->size()));
        auto bytes = wal();
        for (size_t at = 0; at < bytes.bytes.size(); at += 1 << 20) {
            auto patched =
                patch_segment_system_identifier({&bytes.bytes[at], 1 << 20}, kIdentifier);
            ASSERT_TRUE(patched.ok()) << patched.error().text();
        }
        write_wal(bytes, 1);
        ASSERT_TRUE(testing::write_file(cluster_->data() + "/standby.signal", "", 0));
    }

    static constexpr uint64_t kIdentifier = 0x7123'4567'89ab'cdef;
    Lsn redo_;
    Lsn flushed_;
};

TEST_P(Recovery, EndsOnANewTimelineThatTheWalkerFollows) {
    prepare(flushed_);
    auto started = cluster_->start_server({"hot_standby=off"});
    ASSERT_TRUE(started.ok()) << started.error().text();
    auto promoted = cluster_->promote_server();
    ASSERT_TRUE(promoted.ok()) << promoted.error().text();
    ASSERT_TRUE(cluster_->stop_server().ok());

    ControlFile after = control();
    EXPECT_EQ(after.system_identifier, kIdentifier);
    EXPECT_EQ(after.state, ClusterState::shut_down);
    EXPECT_EQ(after.checkpoint_copy.tli, 2u);
    EXPECT_FALSE(after.min_recovery_point.valid());
    auto bytes = wal();
    WalWalker walker = this->walker(redo_);
    WalRecord record;
    std::vector<WalEvent> ends;
    while (walker.next(bytes.window(), &record) == WalStep::record) {
        auto event = decode_event(record);
        ASSERT_TRUE(event.ok()) << event.error().text();
        if (event->has_value() && (*event)->kind == WalEventKind::end_of_recovery) {
            ends.push_back(**event);
            EXPECT_EQ(Lsn{record.start}.value / kWalPageSize, flushed_.value / kWalPageSize);
        }
    }
    EXPECT_EQ(walker.position().previous, after.checkpoint.value)
        << "the last record is the checkpoint";
    // The page keeps the timeline of its first record; the pages after it are of the new one.
    EXPECT_EQ(walker.position().tli, 1u);
    ASSERT_EQ(ends.size(), 1u);
    EXPECT_EQ(ends[0].tli, 2u);
    EXPECT_EQ(ends[0].previous_tli, 1u);

    auto file = testing::read_file(cluster_->data() + "/pg_wal/00000002.history");
    std::string text(reinterpret_cast<const char*>(file.data()), file.size());
    auto history = parse_history(2, text);
    ASSERT_TRUE(history.ok()) << history.error().text();
    ASSERT_EQ(history->ancestors.size(), 1u);
    EXPECT_EQ(history->ancestors[0].tli, 1u);
    EXPECT_EQ(history->ancestors[0].switch_point, flushed_);

    auto backend = start();
    backend.run("select pg_logical_emit_message(true, 'tarn', repeat('z', 20000))");
    bytes = wal();
    walker.rewind();
    while (walker.next(bytes.window(), &record) == WalStep::record) continue;
    EXPECT_EQ(Lsn{walker.position().lsn}.text(), flushed(backend).text());
    EXPECT_EQ(walker.position().tli, 2u);
}

TEST_P(Recovery, RefusesToEndBeforeThePoint) {
    prepare({flushed_.value + 8});
    auto started = cluster_->start_server({"hot_standby=off"});
    ASSERT_TRUE(started.ok()) << started.error().text();
    auto promoted = cluster_->promote_server();
    ASSERT_FALSE(promoted.ok());
    EXPECT_NE(promoted.error().text().find("WAL ends before consistent recovery point"),
              std::string::npos)
        << promoted.error().text();
}

INSTANTIATE_TEST_SUITE_P(Postgres, WalLive, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Postgres, Recovery, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace tarn::pg
