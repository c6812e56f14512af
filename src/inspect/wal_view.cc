// wal_view.cc: one segment of WAL by itself: its header, and what its records are.

#include <algorithm>
#include <cstring>
#include <map>

#include "base/lsn.h"
#include "inspect/views.h"
#include "pg/wal_record.h"
#include "pg/wal_walker.h"
#include "sys/files.h"
#include "wal/compressed_segment.h"

namespace tarn::inspect {

namespace {

constexpr const char* kManagers[] = {"XLOG",     "Transaction",   "Storage",   "CLOG",
                                     "Database", "Tablespace",    "MultiXact", "RelMap",
                                     "Standby",  "Heap2",         "Heap",      "Btree",
                                     "Hash",     "Gin",           "Gist",      "Sequence",
                                     "SPGist",   "BRIN",          "CommitTs",  "ReplicationOrigin",
                                     "Generic",  "LogicalMessage"};
static_assert(std::size(kManagers) == pg::kRmgrLastBuiltin + 1);

std::string manager_text(uint8_t rmid) {
    return rmid < std::size(kManagers) ? kManagers[rmid] : fmt::format("manager {}", rmid);
}

struct Summary {
    uint64_t records = 0, commits = 0, aborts = 0;
    std::map<std::string, uint64_t> by_manager;
    std::optional<Time> first_end, last_end;  // of a transaction
    Document checkpoints = Document::array();

    void add(const pg::WalRecord& record, const Narrow& narrow) {
        ++records;
        ++by_manager[manager_text(record.rmid)];
        auto event = pg::decode_event(record);
        if (!event || !*event) return;
        bool commit = (*event)->kind == pg::WalEventKind::commit;
        if (commit || (*event)->kind == pg::WalEventKind::abort) {
            ++(commit ? commits : aborts);
            if (!first_end) first_end = (*event)->time;
            last_end = (*event)->time;
        }
        if ((*event)->checkpoint && checkpoints.size() < narrow.limit)
            checkpoints.push_back({{"at", Lsn{record.start}.text()},
                                   {"redo", (*event)->checkpoint->redo.text()},
                                   {"time", rfc3339((*event)->checkpoint->time)}});
    }
};

Document segment_view(std::string_view bytes, const Narrow& narrow) {
    Document document{{"bytes", size_text(bytes.size())}};
    if (std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; })) {
        document["state"] = "made ahead: not begun";
        return document;
    }
    pg::WalSegmentHeader header;
    if (!pg::read_segment_header(bytes.data(), bytes.size(), &header)) {
        add_damage(document, "it does not begin as a segment of stock PostgreSQL 16, 17 or 18");
        return document;
    }
    document["major"] = header.major;
    document["system_identifier"] = header.system_identifier;
    document["tli"] = header.tli;
    document["begins_at"] = Lsn{header.address}.text();
    pg::WalWalkerOptions options{header.major, header.segment_size, header.system_identifier};
    // A record that the segment before began may fill whole pages of this one.
    uint64_t first = 0;
    for (size_t page = 0; first == 0 && page + pg::kWalPageSize <= bytes.size();
         page += pg::kWalPageSize)
        first = pg::WalWalker::first_start(
            options, {header.address + page, bytes.data() + page, pg::kWalPageSize});
    if (first == 0) {
        document["records"] = 0;
        return document;
    }
    Summary summary;
    pg::WalWalker walker(options, {.lsn = first});
    pg::WalRecord record;
    auto window = [&] {
        uint64_t offset = walker.needed() - header.address;
        bool inside = walker.needed() >= header.address && offset < bytes.size();
        return inside ? pg::WalWindow{walker.needed(), bytes.data() + offset, bytes.size() - offset}
                      : pg::WalWindow{walker.needed(), nullptr, 0};
    };
    pg::WalWindow next = window();
    for (;;) {
        pg::WalStep step = walker.next(next, &record);
        if (step == pg::WalStep::record) {
            summary.add(record, narrow);
            continue;
        }
        if (step == pg::WalStep::end_of_wal) break;
        next = window();
        if (next.size == 0) break;
    }
    document["first_record"] = Lsn{first}.text();
    document["last_record_ends"] = Lsn{walker.position().lsn}.text();
    document["stopped_by"] = walker.stop() == pg::WalStop::none ? "the end of the segment"
                                                                : pg::wal_stop_text(walker.stop());
    document["records"] = summary.records;
    document["commits"] = summary.commits;
    document["aborts"] = summary.aborts;
    if (summary.first_end) {
        document["first_transaction_ended"] = rfc3339(*summary.first_end);
        document["last_transaction_ended"] = rfc3339(*summary.last_end);
    }
    document["by_resource_manager"] = summary.by_manager;
    document["checkpoints"] = std::move(summary.checkpoints);
    return document;
}

}  // namespace

Result<Document> wal_view(const Target& target, const Narrow& narrow) {
    return segment_view(TRY(sys::read_file(sys::real_disk(), target.path)), narrow);
}

Result<Document> compressed_wal_view(const Target& target, const Narrow& narrow) {
    std::string file = TRY(sys::read_file(sys::real_disk(), target.path));
    Document document{{"bytes", size_text(file.size())}};
    wal::CompressedHeader header{};
    std::memcpy(&header, file.data(), std::min(file.size(), sizeof header));
    document["version"] = header.version;
    document["segment"] = wal::segment_name({header.tli, header.number});
    auto plain = wal::decompress_segment({header.tli, header.number}, file, target.path);
    if (plain)
        document["holds"] = segment_view(*plain, narrow);
    else
        add_damage(document, plain.error().message());
    return document;
}

}  // namespace tarn::inspect
