#include "pg/wal_record.h"

namespace tarn::pg {

namespace {

constexpr std::chrono::microseconds kPostgresEpoch{946'684'800'000'000};  // 2000-01-01
constexpr size_t kRestorePointNameSize = 64;

Error bad_record(const WalRecord& record, std::string_view what) {
    return error(Code::data_loss, "WAL record at {} (resource manager {}, info {:02x}) {}",
                 Lsn{record.start}.text(), record.rmid, record.info, what);
}

// The main data of a record without block references, as far as the prefix holds it.
Result<Bytes> main_data(const WalRecord& record) {
    Bytes rest(record.prefix, record.prefix_size);
    if (rest.size() < wal_record_offset::header_size) return bad_record(record, "is cut short");
    rest = rest.subspan(wal_record_offset::header_size);
    while (!rest.empty()) {
        size_t header = 0;
        switch (load<uint8_t>(rest.data())) {
            case wal_data_header::top_level_xid:
                header = 1 + sizeof(uint32_t);
                break;
            case wal_data_header::origin:
                header = 1 + sizeof(uint16_t);
                break;
            case wal_data_header::data_short:
                return rest.subspan(std::min(rest.size(), 1 + sizeof(uint8_t)));
            case wal_data_header::data_long:
                return rest.subspan(std::min(rest.size(), 1 + sizeof(uint32_t)));
            default:
                return bad_record(record, "refers to blocks, which its kind never does");
        }
        if (rest.size() < header) break;
        rest = rest.subspan(header);
    }
    return bad_record(record, "has no data");
}

Result<WalEvent> decode_transaction(const WalRecord& record, WalEventKind kind,
                                    size_t time_offset) {
    auto data = TRY(main_data(record));
    if (data.size() < time_offset + sizeof(int64_t)) return bad_record(record, "has no timestamp");
    return WalEvent{.kind = kind,
                    .time = from_postgres_timestamp(load<int64_t>(data.data(), time_offset)),
                    .xid = record.xid};
}

Result<WalEvent> decode_checkpoint_record(const WalRecord& record, WalEventKind kind) {
    auto data = TRY(main_data(record));
    if (data.size() < checkpoint_offset::size) return bad_record(record, "is a short checkpoint");
    WalEvent event;
    event.kind = kind;
    event.checkpoint = decode_checkpoint(data.data());
    event.time = event.checkpoint->time;
    event.tli = event.checkpoint->tli;
    event.previous_tli = event.checkpoint->previous_tli;
    return event;
}

Result<WalEvent> decode_end_of_recovery(const WalRecord& record) {
    auto data = TRY(main_data(record));
    if (data.size() < 16) return bad_record(record, "is a short end of recovery");
    return WalEvent{.kind = WalEventKind::end_of_recovery,
                    .time = from_postgres_timestamp(load<int64_t>(data.data())),
                    .tli = load<uint32_t>(data.data(), 8),
                    .previous_tli = load<uint32_t>(data.data(), 12)};
}

Result<WalEvent> decode_restore_point(const WalRecord& record) {
    auto data = TRY(main_data(record));
    if (data.size() < sizeof(int64_t) + kRestorePointNameSize)
        return bad_record(record, "is a short restore point");
    const auto* name = reinterpret_cast<const char*>(data.data()) + sizeof(int64_t);
    return WalEvent{.kind = WalEventKind::restore_point,
                    .time = from_postgres_timestamp(load<int64_t>(data.data())),
                    .name = std::string(name, strnlen(name, kRestorePointNameSize))};
}

}  // namespace

Time from_postgres_timestamp(int64_t timestamp) {
    // "infinity" and what lies beyond the years of our own clock would overflow.
    return Time(std::chrono::microseconds(std::min(timestamp, INT64_MAX - kPostgresEpoch.count())) +
                kPostgresEpoch);
}

Result<std::optional<WalEvent>> decode_event(const WalRecord& record) {
    auto some = [](Result<WalEvent> event) -> Result<std::optional<WalEvent>> {
        return std::optional(TRY(std::move(event)));
    };
    if (record.rmid == kRmgrTransaction) {
        constexpr size_t kPreparedAt = 16;  // after magic, length, xid and database
        switch (record.info & transaction_info::mask) {
            case transaction_info::commit:
            case transaction_info::commit_prepared:
                return some(decode_transaction(record, WalEventKind::commit, 0));
            case transaction_info::abort:
            case transaction_info::abort_prepared:
                return some(decode_transaction(record, WalEventKind::abort, 0));
            case transaction_info::prepare:
                return some(decode_transaction(record, WalEventKind::prepare, kPreparedAt));
            default:
                return std::optional<WalEvent>();
        }
    }
    if (record.rmid == kRmgrXlog) {
        switch (record.info & kWalInfoMask) {
            case xlog_info::checkpoint_shutdown:
                return some(decode_checkpoint_record(record, WalEventKind::checkpoint_shutdown));
            case xlog_info::checkpoint_online:
                return some(decode_checkpoint_record(record, WalEventKind::checkpoint_online));
            case xlog_info::end_of_recovery:
                return some(decode_end_of_recovery(record));
            case xlog_info::restore_point:
                return some(decode_restore_point(record));
            default:
                break;
        }
    }
    return std::optional<WalEvent>();
}

std::optional<uint32_t> changed_max_prepared_transactions(const WalRecord& record) {
    if (record.rmid != kRmgrXlog || (record.info & kWalInfoMask) != xlog_info::parameter_change)
        return std::nullopt;
    constexpr size_t kAt = 12;  // after max_connections, max_worker_processes, max_wal_senders
    auto data = main_data(record);
    if (!data || data->size() < kAt + sizeof(uint32_t)) return std::nullopt;
    return load<uint32_t>(data->data(), kAt);
}

Result<void> patch_segment_system_identifier(std::span<std::byte> segment,
                                             uint64_t system_identifier) {
    WalSegmentHeader header;
    if (!read_segment_header(segment.data(), segment.size(), &header))
        return error(Code::data_loss,
                     "set the system identifier of a WAL segment: it has no valid header");
    put(segment.data(), wal_page_offset::system_identifier, system_identifier);
    return {};
}

}  // namespace tarn::pg
