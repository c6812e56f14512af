#include "pg/wal_walker.h"

#include <gtest/gtest.h>

#include <sstream>

#include "pg/control_file.h"
#include "pg/test_cluster.h"
#include "pg/test_random.h"
#include "pg/test_wal.h"

namespace tarn::pg {
namespace {

using testing::Backend;
using testing::Cluster;
using testing::WalBytes;
using testing::walk;
using testing::WalWalk;

struct Build {
    int major;
    int segment_mib;
};

// A record as the server's own reader (pg_walinspect) shows it.
struct ServerRecord {
    Lsn start;
    Lsn end;
    Lsn previous;
    uint32_t xid;
    uint32_t length;
    std::string manager;
};

// One cluster's log between two checkpoints and what the server says about it.
struct Sample {
    WalWalkerOptions options;
    WalBytes wal;
    Lsn begin;
    Lsn flushed;
    std::vector<ServerRecord> records;
};

void make_work(Backend& backend) {
    backend.run("create table t (id int primary key, text text)");
    backend.run("insert into t select i, repeat('x', i % 300) from generate_series(1, 3000) i");
    backend.run("update t set text = text || 'y' where id % 3 = 0");
    backend.run("select pg_switch_wal()");
    backend.run("begin");
    backend.run("delete from t where id % 7 = 0");
    backend.run("rollback");
    // Longer than a page; with the small segments, longer than a segment.
    backend.run("select pg_logical_emit_message(false, 'tarn', repeat('z', 1500000))");
    backend.run("select pg_logical_emit_message(true, 'tarn', repeat('z', 30000))");
    backend.run("checkpoint");
    backend.run("vacuum t");
    backend.run("create index on t (text)");
    // Every alignment of small records against page ends.
    backend.run(
        "select pg_logical_emit_message(false, 'tarn', repeat('z', i % 97)) "
        "from generate_series(1, 2000) i");
    backend.run("drop table t");
}

std::vector<ServerRecord> ask_server(Backend& backend, Lsn from, Lsn to) {
    auto rows = backend.query(fmt::format(
        "select concat_ws(' ', start_lsn, end_lsn, prev_lsn, xid, record_length, resource_manager) "
        "from pg_get_wal_records_info('{}', '{}')",
        from.text(), to.text()));
    CHECK(rows.ok(), "{}", rows.error().text());
    std::vector<ServerRecord> records;
    for (const auto& row : *rows) {
        std::istringstream in(row);
        std::string start, end, previous;
        ServerRecord record{};
        in >> start >> end >> previous >> record.xid >> record.length >> record.manager;
        record.start = Lsn::parse(start).value();
        record.end = Lsn::parse(end).value();
        record.previous = Lsn::parse(previous).value();
        records.push_back(record);
    }
    return records;
}

Lsn flushed_lsn(Backend& backend) {
    return Lsn::parse(backend.value("select pg_current_wal_flush_lsn()::text")).value();
}

Sample make_sample(Build build) {
    auto cluster =
        Cluster::create(build.major, {fmt::format("--wal-segsize={}", build.segment_mib)});
    CHECK(cluster.ok(), "{}", cluster.error().text());
    auto started = cluster->start({"wal_keep_size=1GB", "wal_recycle=off"});
    CHECK(started.ok(), "{}", started.error().text());
    Backend& backend = *started;
    backend.run("create extension pg_walinspect");
    backend.run("checkpoint");
    auto control =
        decode_control_file(testing::read_file(cluster->data() + "/global/pg_control")).value();
    make_work(backend);
    Sample sample;
    sample.options = {.major = build.major,
                      .segment_size = control.wal_segment_size,
                      .system_identifier = control.system_identifier};
    sample.begin = control.checkpoint_copy.redo;
    sample.flushed = flushed_lsn(backend);
    sample.records = ask_server(backend, sample.begin, sample.flushed);
    sample.wal = testing::load_wal(cluster->data(), control.wal_segment_size);
    EXPECT_EQ(flushed_lsn(backend), sample.flushed) << "the log moved while it was read";
    return sample;
}

class WalOf : public ::testing::TestWithParam<Build> {
  protected:
    void SetUp() override {
        int major = GetParam().major;
        TARN_NEED_POSTGRES(major);
        static std::map<std::pair<int, int>, Sample> samples;
        auto [found, fresh] = samples.try_emplace({major, GetParam().segment_mib});
        if (fresh) found->second = make_sample(GetParam());
        sample_ = &found->second;
    }
    WalWalker walker_at(uint64_t lsn, uint64_t previous = 0) const {
        return WalWalker(sample_->options, {.lsn = lsn, .previous = previous, .tli = 0});
    }
    WalWalk whole() const { return walk(walker_at(sample_->begin.value), {sample_->wal.window()}); }

    const Sample* sample_ = nullptr;
};

void expect_same(const std::vector<WalRecord>& got, const std::vector<WalRecord>& wanted,
                 uint64_t where) {
    ASSERT_EQ(got.size(), wanted.size()) << Lsn{where}.text();
    for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(got[i].start, wanted[i].start) << Lsn{where}.text();
        ASSERT_EQ(got[i].end, wanted[i].end) << Lsn{where}.text();
        ASSERT_EQ(got[i].total_length, wanted[i].total_length) << Lsn{where}.text();
    }
}

TEST_P(WalOf, HasTheRecordsThatTheServersOwnReaderFindsAndEndsWhereItFlushed) {
    WalWalk found = whole();
    EXPECT_EQ(found.last, WalStep::end_of_wal);
    ASSERT_GT(sample_->records.size(), 5000u);
    ASSERT_EQ(found.records.size(), sample_->records.size());
    for (size_t i = 0; i < found.records.size(); ++i) {
        const WalRecord& ours = found.records[i];
        const ServerRecord& theirs = sample_->records[i];
        ASSERT_EQ(Lsn{ours.start}.text(), theirs.start.text()) << i;
        ASSERT_EQ(Lsn{ours.end}.text(), theirs.end.text()) << i;
        ASSERT_EQ(Lsn{ours.previous}.text(), theirs.previous.text()) << i;
        ASSERT_EQ(ours.xid, theirs.xid) << i;
        ASSERT_EQ(ours.total_length, theirs.length) << i;
        ASSERT_EQ(ours.rmid == kRmgrXlog, theirs.manager == "XLOG") << i;
        ASSERT_EQ(ours.rmid == kRmgrTransaction, theirs.manager == "Transaction") << i;
    }
    EXPECT_EQ(Lsn{found.position.lsn}.text(), sample_->flushed.text());
}

TEST_P(WalOf, IsTheSameFromEveryRecordOn) {
    WalWalk all = whole();
    for (size_t i = 0; i < all.records.size(); i += 37) {
        const WalRecord& record = all.records[i];
        uint64_t until = all.records[std::min(i + 40, all.records.size() - 1)].end;
        auto from_start = walk(walker_at(record.start), {sample_->wal.window_until(until)});
        ASSERT_FALSE(from_start.records.empty()) << Lsn{record.start}.text();
        EXPECT_EQ(from_start.records.front().end, record.end);
        EXPECT_EQ(from_start.position.lsn, until);
        auto from_end =
            walk(walker_at(record.end, record.start), {sample_->wal.window_until(until)});
        EXPECT_EQ(from_end.position.lsn, until) << Lsn{record.end}.text();
    }
}

TEST_P(WalOf, CanBeginOnEveryPageAtTheFirstPlaceThatItTells) {
    // Ends of records, as a walk tells them: a page's start where one ends with the page before.
    std::map<uint64_t, uint64_t> firsts;  // page -> end
    WalWalk all = whole();
    for (const WalRecord& record : all.records)
        firsts.try_emplace(record.end - record.end % kWalPageSize, record.end);
    uint64_t without = 0;
    const auto& wal = sample_->wal;
    for (uint64_t page = firsts.begin()->first + kWalPageSize; page < firsts.rbegin()->first;
         page += kWalPageSize) {
        WalWindow header{page, &wal.bytes[page - wal.lsn], wal_page_offset::long_size};
        auto first = firsts.find(page);
        uint64_t wanted = first == firsts.end() ? 0 : first->second;
        ASSERT_EQ(WalWalker::first_start(sample_->options, header), wanted) << Lsn{page}.text();
        if (wanted == 0) ++without;
    }
    EXPECT_GT(without, 0u) << "no record fills a page";
    WalWindow inside{wal.lsn + 8, wal.bytes.data() + 8, wal_page_offset::long_size};
    EXPECT_EQ(WalWalker::first_start(sample_->options, inside), 0u);
}

TEST_P(WalOf, CannotBeginInsideARecord) {
    WalWalk all = whole();
    for (size_t i = 0; i < all.records.size(); i += 11) {
        const WalRecord& record = all.records[i];
        for (uint64_t lsn = record.start + 1; lsn < std::min(record.end, record.start + 2000);
             ++lsn) {
            if (lsn % kWalPageSize == 0 && lsn != record.end)
                continue;  // seen from the header alone
            auto found = walk(walker_at(lsn), {sample_->wal.window_until(record.end)});
            ASSERT_TRUE(found.records.empty()) << Lsn{lsn}.text();
        }
    }
}

// Why a walk ends when the bytes at `at` are replaced.
WalStop stop_of(const Sample& sample, const WalWalkerOptions& options, WalPosition from,
                uint64_t at, const std::vector<int>& bytes) {
    WalBytes wal = sample.wal;
    for (size_t i = 0; i < bytes.size(); ++i) wal.at(at + i) = static_cast<std::byte>(bytes[i]);
    auto found = walk(WalWalker(options, from), {wal.window()});
    EXPECT_EQ(found.last, WalStep::end_of_wal);
    return found.stop;
}

TEST_P(WalOf, SaysWhyItEndsAtARecordOrPage) {
    using namespace wal_page_offset;
    WalWalk all = whole();
    auto stop = [&](WalPosition from, uint64_t at, const std::vector<int>& bytes) {
        return stop_of(*sample_, sample_->options, from, at, bytes);
    };
    // A record that ends with its page, so that the next page begins with another.
    auto it = std::find_if(all.records.begin() + 1, all.records.end(), [](const WalRecord& record) {
        return record.end % kWalPageSize == 0 && record.total_length < 4000;
    });
    ASSERT_NE(it, all.records.end());
    WalPosition from{.lsn = it->start, .previous = it->previous, .tli = it->tli};
    uint64_t page = it->start - it->start % kWalPageSize;
    uint64_t next = it->end;
    EXPECT_EQ(stop(from, next, std::vector<int>(kWalPageSize, 0)), WalStop::empty_page);
    EXPECT_EQ(stop(from, next + info, {1}), WalStop::unexpected_continuation);
    EXPECT_EQ(stop(from, page + magic, {0}), WalStop::bad_magic);
    EXPECT_EQ(stop(from, page + info + 1, {0x80}), WalStop::bad_page_flags);
    EXPECT_EQ(stop(from, page + address + 7, {1}), WalStop::wrong_page_address);
    EXPECT_EQ(stop(from, it->start, {0, 0, 0, 0}), WalStop::empty_record);
    EXPECT_EQ(stop(from, it->start, {23, 0, 0, 0}), WalStop::bad_length);
    EXPECT_EQ(stop(from, it->start + wal_record_offset::rmid, {22}), WalStop::bad_resource_manager);
    EXPECT_EQ(stop(from, it->start + wal_record_offset::crc, {1, 2, 3, 4}), WalStop::wrong_crc);
    EXPECT_EQ(stop({from.lsn, from.previous - 8, 1}, page, {}), WalStop::wrong_previous);
    EXPECT_EQ(stop({from.lsn, from.previous, 2}, page, {}), WalStop::timeline_backwards);
    EXPECT_EQ(stop({from.lsn + 1, 0, 1}, page, {}), WalStop::inside_record);
    EXPECT_EQ(stop({page + 8, 0, 1}, page, {}), WalStop::inside_record);

    it = std::find_if(all.records.begin(), all.records.end(), [](const WalRecord& record) {
        return record.total_length > 3 * kWalPageSize;
    });
    ASSERT_NE(it, all.records.end());
    from = {.lsn = it->start, .previous = it->previous, .tli = it->tli};
    next = (it->start / kWalPageSize + 1) * kWalPageSize;
    EXPECT_EQ(stop(from, next + info, {0}), WalStop::missing_continuation);
    EXPECT_EQ(stop(from, next + remaining, {1, 2, 3, 0}), WalStop::wrong_continuation);
    EXPECT_EQ(stop({next + kWalPageSize + short_size, 0, 1}, next, {}), WalStop::inside_record);
}

TEST_P(WalOf, SaysWhyItEndsWhereTheSegmentIsOfAnotherCluster) {
    using namespace wal_page_offset;
    WalPosition from{.lsn = sample_->begin.value, .previous = 0, .tli = 0};
    const WalWalkerOptions good = sample_->options;
    uint64_t segment = (from.lsn / good.segment_size + 1) * good.segment_size;
    auto damaged = [&](uint64_t offset, const std::vector<int>& bytes) {
        return stop_of(*sample_, good, from, segment + offset, bytes);
    };
    EXPECT_EQ(damaged(info, {0}), WalStop::bad_page_flags);
    EXPECT_EQ(damaged(block_size, {0, 0x40, 0, 0}), WalStop::wrong_block_size);
    EXPECT_EQ(damaged(segment_size, {1}), WalStop::wrong_segment_size);
    EXPECT_EQ(damaged(system_identifier + 7, {1}), WalStop::wrong_system);
    auto other = good;
    other.system_identifier = 0;
    WalBytes wal = sample_->wal;
    wal.at(segment + system_identifier) ^= std::byte{1};
    EXPECT_EQ(walk(WalWalker(other, from), {wal.window()}).position.lsn, sample_->flushed.value);
    for (int major : {0, 15, good.major == 16 ? 17 : 16}) {
        other.major = major;
        EXPECT_EQ(stop_of(*sample_, other, from, segment, {}), WalStop::bad_magic) << major;
    }
    for (uint32_t size : {0u, 12345u, good.segment_size * 2}) {
        other = good;
        other.segment_size = size;
        EXPECT_EQ(stop_of(*sample_, other, from, segment, {}), WalStop::wrong_segment_size) << size;
    }
}

TEST_P(WalOf, ReadsTheHeaderOfASegment) {
    WalSegmentHeader header;
    const auto& wal = sample_->wal;
    ASSERT_TRUE(read_segment_header(wal.bytes.data(), wal.bytes.size(), &header));
    EXPECT_EQ(header.major, GetParam().major);
    EXPECT_EQ(header.tli, 1u);
    EXPECT_EQ(header.address, wal.lsn);
    EXPECT_EQ(header.segment_size, sample_->options.segment_size);
    EXPECT_EQ(header.system_identifier, sample_->options.system_identifier);
    EXPECT_FALSE(read_segment_header(wal.bytes.data(), 39, &header));
    EXPECT_FALSE(read_segment_header(wal.bytes.data() + kWalPageSize, kWalPageSize, &header));
    std::vector<std::byte> zeros(kWalPageSize);
    EXPECT_FALSE(read_segment_header(zeros.data(), zeros.size(), &header));
}

// The bytes of a record that its CRC, or the check of its length, covers.
template <class Visit>
void for_each_byte(const WalRecord& record, uint32_t segment_size, Visit visit) {
    uint64_t at = record.start;
    for (uint32_t left = record.total_length; left > 0; --left, ++at) {
        if (at % segment_size == 0) at += wal_page_offset::long_size;
        if (at % kWalPageSize == 0) at += wal_page_offset::short_size;
        visit(at);
    }
}

TEST_P(WalOf, StopsAtTheStartOfARecordWithAFlippedByte) {
    WalBytes wal = sample_->wal;
    auto random = testing::seeded_random();
    WalWalk all = whole();
    size_t flips = 0;
    for (size_t i = 1; i < all.records.size(); ++i) {
        const WalRecord& record = all.records[i];
        bool crosses_page = record.start / kWalPageSize != (record.end - 1) / kWalPageSize;
        if (record.total_length > 9000) continue;
        if (!crosses_page && i % 61 != 0) continue;
        for_each_byte(record, sample_->options.segment_size, [&](uint64_t at) {
            if (record.total_length > 300 && random() % 8 != 0) return;
            std::byte kept = wal.at(at);
            wal.at(at) ^= static_cast<std::byte>(1u << random() % 8);
            auto found = walk(walker_at(record.start, record.previous), {wal.window()});
            wal.at(at) = kept;
            ++flips;
            ASSERT_TRUE(found.records.empty()) << Lsn{record.start}.text() << " byte " << at;
            ASSERT_EQ(found.position.lsn, record.start);
            // It would go on behind all there is.
            if (found.last != WalStep::end_of_wal || found.stop == WalStop::empty_page) return;
            ASSERT_EQ(found.wrong_from, record.start) << at;
            ASSERT_GT(found.wrong_to, at) << wal_stop_text(found.stop);
        });
    }
    EXPECT_GT(flips, 5000u);
}

TEST_P(WalOf, StopsAtAPageWithAWrongHeader) {
    WalBytes wal = sample_->wal;
    WalWalk all = whole();
    using namespace wal_page_offset;
    for (size_t i = 0; i < all.records.size(); i += 100) {
        uint64_t page = (all.records[i].end / kWalPageSize + 1) * kWalPageSize;
        if (page >= sample_->flushed.value) break;
        for (auto [offset, value] : {std::pair{magic, 0xff}, std::pair{info + 1, 0x10},
                                     std::pair{address, 0x20}, std::pair{address + 6, 1}}) {
            auto& byte = wal.at(page + offset);
            std::byte kept = byte;
            byte ^= static_cast<std::byte>(value);
            auto found = walk(walker_at(sample_->begin.value), {wal.window()});
            byte = kept;
            ASSERT_EQ(found.last, WalStep::end_of_wal) << Lsn{page}.text() << "+" << offset;
            ASSERT_LE(found.position.lsn, page);
            ASSERT_EQ(found.wrong_from, page) << wal_stop_text(found.stop);
            ASSERT_GT(found.wrong_to, page + offset);
        }
    }
}

// The first record that begins at `lsn` or after, and all that end before `until`.
std::vector<WalRecord> between(const WalWalk& all, uint64_t lsn, uint64_t until) {
    std::vector<WalRecord> records;
    for (const auto& record : all.records)
        if (record.start >= lsn && record.end <= until) records.push_back(record);
    return records;
}

// The position behind a record's last byte, without the padding and without what a switch skips.
uint64_t bytes_end(const WalRecord& record, uint32_t segment_size) {
    uint64_t last = record.start;
    for_each_byte(record, segment_size, [&](uint64_t at) { last = at; });
    return last + 1;
}

TEST_P(WalOf, CutAtEveryPositionEndsWithTheLastWholeRecordAndGoesOn) {
    WalWalk all = whole();
    // Around the switch (a segment boundary), and a stretch of small records near the end.
    auto switched = std::find_if(all.records.begin(), all.records.end(), [](const WalRecord& r) {
        return r.rmid == kRmgrXlog && (r.info & kWalInfoMask) == xlog_info::segment_switch;
    });
    ASSERT_NE(switched, all.records.end());
    for (size_t first :
         {static_cast<size_t>(switched - all.records.begin()) - 10, all.records.size() - 700}) {
        uint64_t begin = all.records[first].start;
        auto range = between(all, begin, all.records[first + 150].end);
        uint64_t until = range.back().end;
        WalBytes wal = sample_->wal;
        size_t intact = 0;  // records whose bytes all lie before the cut
        for (uint64_t cut = begin; cut <= until; ++cut) {
            // The zeros behind a switch are all the same.
            if (cut > switched->start + 200 && cut + 200 < switched->end) continue;
            while (intact < range.size() &&
                   bytes_end(range[intact], sample_->options.segment_size) <= cut)
                ++intact;
            // From two records before to two behind.
            auto from =
                range.begin() + static_cast<ptrdiff_t>(intact - std::min<size_t>(intact, 2));
            auto to = range.begin() + static_cast<ptrdiff_t>(std::min(intact + 2, range.size()));
            auto walker = walker_at(from->start, from->previous);
            auto found = walk(walker, {wal.window_until(cut)});
            ASSERT_EQ(found.last, WalStep::need_more_data) << Lsn{cut}.text();
            expect_same(found.records, {from, range.begin() + static_cast<ptrdiff_t>(intact)}, cut);
            WalWindow rest{cut, wal.bytes.data() + (cut - wal.lsn),
                           static_cast<size_t>((to - 1)->end - cut)};
            if ((to - 1)->end < cut) rest.size = 0;
            auto both = walk(walker, {wal.window_until(cut), rest});
            expect_same(both.records, {from, to}, cut);
        }
    }
}

TEST_P(WalOf, ZerosFromAnyPositionOnEndItBeforeTheFirstDamagedRecord) {
    WalWalk all = whole();
    size_t first = all.records.size() - 600;
    uint64_t begin = all.records[first].start;
    uint64_t until = all.records[first + 250].end;
    WalBytes wal = sample_->wal;
    std::fill(wal.bytes.begin() + static_cast<ptrdiff_t>(until - wal.lsn), wal.bytes.end(),
              std::byte{0});
    auto range = between(all, begin, until);
    size_t intact = range.size();
    for (uint64_t cut = until; cut-- > begin;) {
        bool damages = wal.at(cut) != std::byte{0};
        wal.at(cut) = std::byte{0};
        if (damages)
            while (intact > 0 && bytes_end(range[intact - 1], sample_->options.segment_size) > cut)
                --intact;
        size_t from = intact - std::min<size_t>(intact, 2);
        auto found = walk(walker_at(range[from].start, range[from].previous), {wal.window()});
        ASSERT_EQ(found.last, WalStep::end_of_wal) << Lsn{cut}.text();
        // While a page's header is being wiped, what lies before it on that page is already gone.
        if (cut % kWalPageSize >= wal_page_offset::long_size) {
            ASSERT_EQ(found.records.size(), intact - from) << Lsn{cut}.text();
        } else {
            ASSERT_LE(found.records.size(), intact - from) << Lsn{cut}.text();
        }
    }
}

TEST_P(WalOf, IsTheSameInPiecesOfAnySize) {
    auto random = testing::seeded_random();
    WalWalk all = whole();
    for (size_t largest : {1u, 7u, 100u, 8191u, 70000u}) {
        uint64_t begin =
            largest < 100 ? all.records[all.records.size() - 900].start : sample_->begin.value;
        std::vector<WalWindow> windows;
        uint64_t at = begin - begin % kWalPageSize;
        while (at < sample_->wal.end()) {
            uint64_t size = std::min(1 + random() % largest, sample_->wal.end() - at);
            windows.push_back({at, sample_->wal.bytes.data() + (at - sample_->wal.lsn), size});
            at += size;
        }
        auto found = walk(walker_at(begin), windows);
        expect_same(found.records, between(all, begin, UINT64_MAX), begin);
        EXPECT_EQ(found.stop, all.stop);
    }
}

TEST_P(WalOf, AnyDamageLeavesOnlyRecordsThatWereThere) {
    auto random = testing::seeded_random();
    WalWalk all = whole();
    std::map<uint64_t, uint64_t> known;
    for (const auto& record : all.records) known[record.start] = record.end;
    uint64_t first_page = sample_->begin.value / kWalPageSize * kWalPageSize;
    uint64_t pages = (sample_->flushed.value - first_page) / kWalPageSize;
    for (int round = 0; round < 400; ++round) {
        uint64_t begin = all.records[random() % all.records.size()].start;
        uint64_t until = std::min(begin + 40 * kWalPageSize, sample_->wal.end());
        uint64_t base = begin - begin % kWalPageSize;
        auto* source = sample_->wal.bytes.data() + (base - sample_->wal.lsn);
        WalBytes wal{base, {source, source + (until - base)}};
        for (size_t changes = 1 + random() % 6; changes > 0; --changes) {
            uint64_t at = random() % wal.bytes.size();
            uint64_t size = std::min<uint64_t>(1 + random() % 64, wal.bytes.size() - at);
            switch (random() % 4) {
                case 0:
                    wal.bytes[at] = static_cast<std::byte>(random());
                    break;
                case 1:
                    std::fill_n(wal.bytes.begin() + static_cast<ptrdiff_t>(at), size, std::byte{0});
                    break;
                case 2:  // bytes of another place
                    std::memmove(&wal.bytes[at],
                                 &wal.bytes[random() % (wal.bytes.size() - size + 1)], size);
                    break;
                case 3: {  // a whole page of another place, as after lost writes
                    uint64_t page = at - at % kWalPageSize;
                    uint64_t other = first_page + random() % pages * kWalPageSize;
                    std::memcpy(&wal.bytes[page],
                                sample_->wal.bytes.data() + (other - sample_->wal.lsn),
                                std::min<uint64_t>(kWalPageSize, wal.bytes.size() - page));
                }
            }
        }
        for (const auto& record : walk(walker_at(begin), {wal.window()}).records)
            ASSERT_EQ(known[record.start], record.end) << Lsn{record.start}.text();
    }
}

INSTANTIATE_TEST_SUITE_P(Postgres, WalOf,
                         ::testing::Values(Build{16, 16}, Build{17, 1}, Build{18, 16}),
                         [](const auto& test) {
                             return fmt::format("{}_{}mib", test.param.major,
                                                test.param.segment_mib);
                         });

}  // namespace
}  // namespace tarn::pg
