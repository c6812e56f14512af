#include "compute/attachments.h"

#include <cstring>

#include "base/number.h"

namespace tarn::compute {

namespace {

Result<std::string> text_attachment(const Attachments& attachments, const char* key) {
    auto found = attachments.find(key);
    if (found == attachments.end()) return error(Code::data_loss, "the record has no `{}`", key);
    return found->second;
}

}  // namespace

Result<Lsn> lsn_attachment(const Attachments& attachments, const char* key) {
    return Lsn::parse(TRY(text_attachment(attachments, key)));
}

Result<uint64_t> number_attachment(const Attachments& attachments, const char* key) {
    auto text = TRY(text_attachment(attachments, key));
    auto value = parse_number<uint64_t>(text);
    if (!value) return error(Code::data_loss, "`{}` of the record is no number: {}", key, text);
    return *value;
}

Result<Time> time_attachment(const Attachments& attachments, const char* key) {
    return parse_rfc3339(TRY(text_attachment(attachments, key)));
}

Result<PointControl> control_of(const store::RestorePoint& point) {
    auto bytes = TRY_CTX(text_attachment(point.attachments, restore_point_key::control),
                         "restore point {}", text_of(point.id));
    PointControl control;
    if (bytes.size() != control.image.size())
        return error(Code::data_loss, "restore point {} has {} bytes of control file instead of {}",
                     text_of(point.id), bytes.size(), control.image.size());
    std::memcpy(control.image.data(), bytes.data(), bytes.size());
    control.file = TRY_CTX(pg::decode_control_file(control.image),
                           "control file of restore point {}", text_of(point.id));
    return control;
}

std::string text_of(const store::RestorePointId& id) {
    return fmt::format("{:016x}/{}/{}", id.log.lineage, id.log.incarnation, id.number);
}

}  // namespace tarn::compute
