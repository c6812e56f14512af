#include "pg/control_file.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"
#include "pg/relation_path.h"
#include "pg/test_cluster.h"
#include "pg/test_random.h"

namespace tarn::pg {
namespace {

using testing::Backend;
using testing::Cluster;

class ControlFileOf : public ::testing::TestWithParam<int> {
  protected:
    void SetUp() override {
        TARN_NEED_POSTGRES(GetParam());
        auto made = Cluster::create(GetParam());
        ASSERT_TRUE(made.ok()) << made.error().text();
        cluster_.emplace(std::move(made).value());
    }
    Backend start() {
        auto backend = cluster_->start({"max_connections=37", "max_prepared_transactions=3"});
        CHECK(backend.ok(), "{}", backend.error().text());
        return std::move(backend).value();
    }
    std::vector<std::byte> image() {
        return testing::read_file(cluster_->data() + "/global/pg_control");
    }
    ControlFile decoded() {
        auto control = decode_control_file(image());
        CHECK(control.ok(), "{}", control.error().text());
        return *control;
    }

    std::optional<Cluster> cluster_;
};

TEST_P(ControlFileOf, DecodesToWhatTheServerItselfReports) {
    auto backend = start();
    backend.run("checkpoint");
    ControlFile control = decoded();
    auto ask = [&](const char* field, const char* function) {
        return backend.value(fmt::format("select ({})::text from {}()", field, function));
    };
    EXPECT_EQ(control.major, GetParam());
    EXPECT_EQ(fmt::format("PG_{}_{}", GetParam(), control.catalog_version),
              tablespace_version_directory(GetParam()));
    EXPECT_EQ(std::to_string(control.control_version),
              ask("pg_control_version", "pg_control_system"));
    EXPECT_EQ(std::to_string(control.catalog_version),
              ask("catalog_version_no", "pg_control_system"));
    EXPECT_EQ(std::to_string(control.system_identifier),
              ask("system_identifier", "pg_control_system"));
    EXPECT_EQ(std::to_string(control.time.time_since_epoch() / std::chrono::seconds(1)),
              ask("extract(epoch from pg_control_last_modified)::int8", "pg_control_system"));
    EXPECT_EQ(control.checkpoint.text(), ask("checkpoint_lsn", "pg_control_checkpoint"));
    const Checkpoint& copy = control.checkpoint_copy;
    EXPECT_EQ(copy.redo.text(), ask("redo_lsn", "pg_control_checkpoint"));
    EXPECT_EQ(std::to_string(copy.tli), ask("timeline_id", "pg_control_checkpoint"));
    EXPECT_EQ(std::to_string(copy.previous_tli), ask("prev_timeline_id", "pg_control_checkpoint"));
    EXPECT_EQ(copy.full_page_writes ? "true" : "false",
              ask("full_page_writes", "pg_control_checkpoint"));
    EXPECT_EQ(fmt::format("{}:{}", copy.next_xid >> 32, copy.next_xid & 0xffffffff),
              ask("next_xid", "pg_control_checkpoint"));
    EXPECT_EQ(std::to_string(copy.next_oid), ask("next_oid", "pg_control_checkpoint"));
    EXPECT_EQ(std::to_string(copy.next_multixact),
              ask("next_multixact_id", "pg_control_checkpoint"));
    EXPECT_EQ(std::to_string(copy.oldest_xid), ask("oldest_xid", "pg_control_checkpoint"));
    EXPECT_EQ(std::to_string(copy.oldest_active_xid),
              ask("oldest_active_xid", "pg_control_checkpoint"));
    EXPECT_EQ(std::to_string(copy.time.time_since_epoch() / std::chrono::seconds(1)),
              ask("extract(epoch from checkpoint_time)::int8", "pg_control_checkpoint"));
    EXPECT_EQ(control.min_recovery_point.text(),
              ask("min_recovery_end_lsn", "pg_control_recovery"));
    EXPECT_EQ(std::to_string(control.min_recovery_tli),
              ask("min_recovery_end_timeline", "pg_control_recovery"));
    EXPECT_EQ(std::to_string(control.wal_segment_size),
              ask("bytes_per_wal_segment", "pg_control_init"));
    EXPECT_EQ(std::to_string(control.data_checksum_version),
              ask("data_page_checksum_version", "pg_control_init"));
    EXPECT_EQ(control.data_checksum_version, GetParam() >= 18 ? 1u : 0u);
}

TEST_P(ControlFileOf, ShowsStateAndSettingsOfTheLastRun) {
    EXPECT_EQ(decoded().state, ClusterState::shut_down);
    auto backend = start();
    EXPECT_EQ(decoded().state, ClusterState::in_production);
    EXPECT_EQ(decoded().max_connections, 37u);
    EXPECT_EQ(decoded().max_prepared_transactions, 3u);
    backend.kill();
    EXPECT_EQ(decoded().state, ClusterState::in_production);
    start().finish();
    EXPECT_EQ(decoded().state, ClusterState::shut_down);
}

TEST_P(ControlFileOf, GivesTheShimTheSameFactsAndIsRefusedWithAnyFlippedBit) {
    auto bytes = image();
    ControlFile control = decoded();
    ControlCheckpoint found;
    ASSERT_TRUE(control_checkpoint(bytes.data(), bytes.size(), &found));
    EXPECT_EQ(found.major, GetParam());
    EXPECT_EQ(found.checkpoint, control.checkpoint.value);
    EXPECT_EQ(found.redo, control.checkpoint_copy.redo.value);
    EXPECT_EQ(found.tli, control.checkpoint_copy.tli);
    EXPECT_EQ(found.system_identifier, control.system_identifier);
    EXPECT_EQ(found.state, control.state);
    EXPECT_EQ(found.wal_segment_size, control.wal_segment_size);
    EXPECT_FALSE(control_checkpoint(bytes.data(), bytes.size() - 1, &found));
    size_t covered = control_crc_offset(control.control_version) + sizeof(uint32_t);
    for (size_t bit = 0; bit < covered * 8; ++bit) {
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        EXPECT_FALSE(decode_control_file(bytes).ok()) << "bit " << bit;
        EXPECT_FALSE(control_checkpoint(bytes.data(), bytes.size(), &found)) << "bit " << bit;
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    }
    EXPECT_TRUE(decode_control_file(bytes).ok());
}

TEST_P(ControlFileOf, GetsANewSystemIdentifierAndNothingElse) {
    auto patched = with_system_identifier(image(), 0x7123456789abcdef);
    ASSERT_TRUE(patched.ok()) << patched.error().text();
    EXPECT_EQ(decode_control_file(*patched)->system_identifier, 0x7123456789abcdefu);
    auto before = image();
    size_t crc = control_crc_offset(decoded().control_version);
    for (size_t i = 8; i < before.size(); ++i)
        ASSERT_TRUE(before[i] == (*patched)[i] || (i >= crc && i < crc + 4)) << i;
}

TEST_P(ControlFileOf, BecomesOneOfArchiveRecoveryUpToAPoint) {
    ControlFile before = decoded();
    Lsn point{before.checkpoint_copy.redo.value + 1000};
    auto image_before = image();
    image_before[control_offset::backup_end_required] = std::byte{1};
    size_t crc = control_crc_offset(before.control_version);
    put(image_before.data(), crc, crc32c(0, image_before.data(), crc));
    auto patched = as_archive_recovery(image_before, point, 7);
    ASSERT_TRUE(patched.ok()) << patched.error().text();
    auto after = decode_control_file(*patched);
    ASSERT_TRUE(after.ok()) << after.error().text();
    EXPECT_EQ(after->state, ClusterState::in_archive_recovery);
    EXPECT_EQ(after->min_recovery_point, point);
    EXPECT_EQ(after->min_recovery_tli, 7u);
    EXPECT_FALSE(after->backup_end_required);
    EXPECT_EQ(after->checkpoint, before.checkpoint);
    EXPECT_EQ(after->system_identifier, before.system_identifier);
    // What would switch the server's consistency check off is refused.
    Lsn redo = before.checkpoint_copy.redo;
    for (Lsn early : {Lsn{0}, Lsn{redo.value - 8}})
        EXPECT_EQ(as_archive_recovery(image(), early, 1).error().code(), Code::invalid_argument);
    EXPECT_EQ(as_archive_recovery(image(), redo, 0).error().code(), Code::invalid_argument);
    EXPECT_TRUE(as_archive_recovery(image(), redo, 1).ok());
}

INSTANTIATE_TEST_SUITE_P(Postgres, ControlFileOf, ::testing::Values(16, 17, 18),
                         ::testing::PrintToStringParamName());

// A plausible image without any PostgreSQL, so that the refusals are tested on every machine.
std::vector<std::byte> synthetic(uint32_t version) {
    std::vector<std::byte> image(kControlFileSize);
    put(image.data(), control_offset::version, version);
    put(image.data(), control_offset::state, uint32_t{6});
    put(image.data(), control_offset::max_align, uint32_t{8});
    put(image.data(), control_offset::float_format, 1234567.0);
    put(image.data(), control_offset::block_size, uint32_t{8192});
    put(image.data(), control_offset::wal_block_size, uint32_t{8192});
    put(image.data(), control_offset::relation_segment_blocks, uint32_t{131072});
    put(image.data(), control_offset::wal_segment_size, uint32_t{16 << 20});
    return image;
}

void seal(std::vector<std::byte>& image) {
    size_t crc = control_crc_offset(load<uint32_t>(image.data(), control_offset::version));
    if (crc != 0) put(image.data(), crc, crc32c(0, image.data(), crc));
}

TEST(ControlFile, RefusesVersionsSizesAndBuildsThatItDoesNotKnow) {
    for (uint32_t version : {1300u, 1700u, 1800u}) {
        auto good = synthetic(version);
        seal(good);
        EXPECT_TRUE(decode_control_file(good).ok()) << version;
    }
    for (uint32_t version : {0u, 1201u, 1301u, 1900u, 0x14050000u}) {
        auto image = synthetic(version);
        EXPECT_EQ(decode_control_file(image).error().code(), Code::unimplemented) << version;
    }
    for (size_t size : {size_t{0}, size_t{296}, kControlFileSize - 1, kControlFileSize + 1}) {
        auto image = synthetic(1700);
        seal(image);
        image.resize(size);
        EXPECT_EQ(decode_control_file(image).error().code(), Code::data_loss) << size;
    }
    for (size_t offset : {control_offset::block_size, control_offset::wal_block_size,
                          control_offset::relation_segment_blocks, control_offset::max_align,
                          control_offset::float_format}) {
        auto image = synthetic(1700);
        put(image.data(), offset, uint32_t{4096});
        seal(image);
        EXPECT_EQ(decode_control_file(image).error().code(), Code::unimplemented) << offset;
    }
    for (auto [offset, value] :
         {std::pair{control_offset::wal_segment_size, 12345u},
          std::pair{control_offset::wal_segment_size, 0u}, std::pair{control_offset::state, 7u}}) {
        auto image = synthetic(1800);
        put(image.data(), offset, value);
        seal(image);
        EXPECT_EQ(decode_control_file(image).error().code(), Code::data_loss) << offset;
    }
}

TEST(ControlFile, DecodesAnyBytesUnderACorrectCrcWithoutHarm) {
    auto random = testing::seeded_random();
    int decoded = 0;
    for (int round = 0; round < 2000; ++round) {
        auto image = synthetic(1800);
        for (int i = 0; i < 8; ++i)
            put(image.data(), 24 + random() % 180 / 8 * 8, static_cast<uint64_t>(random()));
        seal(image);
        auto control = decode_control_file(image);
        decoded += control.ok();
        if (control.ok()) rfc3339(control->time).size();
    }
    EXPECT_GT(decoded, 1000);
}

}  // namespace
}  // namespace tarn::pg
