#include "store/lineage_record.h"

#include "store/codec.h"
#include "store/restore_point_format.h"

namespace tarn::store {

namespace {

std::string encode_record(RecordPrefix prefix, LogId log, const RestorePointId& origin,
                          const Attachments& attachments) {
    Encoder encoder;
    encoder.put(LineageHeader{
        .prefix = prefix,
        .lineage = log.lineage,
        .incarnation = log.incarnation,
        .attachment_count = static_cast<uint32_t>(attachments.size()),
        .origin_lineage = origin.log.lineage,
        .origin_incarnation = origin.log.incarnation,
        .origin_number = origin.number,
    });
    encoder.put(attachments);
    return encoder.finish();
}

// Takes apart what encode_record() put together; the prefix has been checked.
Result<void> take(Decoder& decoder, const char* what, LogId& log, RestorePointId& origin,
                  Attachments& attachments) {
    LineageHeader header;
    if (!decoder.take(header) || !decoder.take(header.attachment_count, attachments) ||
        !decoder.at_end())
        return error(Code::data_loss, "{} whose parts do not fit its length", what);
    log = {header.lineage, header.incarnation};
    origin = {{header.origin_lineage, header.origin_incarnation}, header.origin_number};
    return {};
}

}  // namespace

std::string encode(const LineageRecord& record) {
    return encode_record(record_prefix(kLineageMagic, kLineageVersion), {record.lineage, 0},
                         record.parent, record.attachments);
}

std::string encode(const IncarnationRecord& record) {
    return encode_record(record_prefix(kIncarnationMagic, kIncarnationVersion), record.log,
                         record.base, record.attachments);
}

Result<LineageRecord> decode_lineage(std::string_view bytes) {
    constexpr const char* what = "lineage record";
    Decoder decoder(bytes);
    TRY(decoder.open(kLineageMagic, kLineageVersion, what));
    LineageRecord record;
    LogId log;
    TRY(take(decoder, what, log, record.parent, record.attachments));
    if (log.incarnation != 0)
        return error(Code::data_loss, "{} that names incarnation {}", what, log.incarnation);
    record.lineage = log.lineage;
    return record;
}

Result<IncarnationRecord> decode_incarnation(std::string_view bytes) {
    constexpr const char* what = "incarnation record";
    Decoder decoder(bytes);
    TRY(decoder.open(kIncarnationMagic, kIncarnationVersion, what));
    IncarnationRecord record;
    TRY(take(decoder, what, record.log, record.base, record.attachments));
    return record;
}

}  // namespace tarn::store
