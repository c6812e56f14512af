#include "inspect/attachments_view.h"

#include "inspect/views.h"
#include "sys/files.h"

namespace tarn::inspect {

namespace key = compute::restore_point_key;

Document control_document(const pg::ControlFile& control) {
    const pg::Checkpoint& checkpoint = control.checkpoint_copy;
    return {{"major", control.major},
            {"system_identifier", control.system_identifier},
            {"state", std::string(pg::cluster_state_name(control.state))},
            {"written", rfc3339(control.time)},
            {"checkpoint", control.checkpoint.text()},
            {"redo", checkpoint.redo.text()},
            {"tli", checkpoint.tli},
            {"checkpoint_time", rfc3339(checkpoint.time)},
            {"next_xid", checkpoint.next_xid},
            {"next_oid", checkpoint.next_oid},
            {"min_recovery_point", control.min_recovery_point.text()},
            {"max_connections", control.max_connections},
            {"wal_segment_size", control.wal_segment_size}};
}

Document control_document(std::string_view bytes) {
    auto control = pg::decode_control_file(std::as_bytes(std::span(bytes)));
    if (control.ok()) return control_document(*control);
    Document document;
    add_damage(document, control.error().text());
    return document;
}

Document attachments_document(const compute::Attachments& attachments) {
    Document document = Document::object(), files = Document::array();
    for (const auto& [name, value] : attachments) {
        if (name == key::control)
            document[name] = control_document(value);
        else if (name.starts_with(key::file_prefix))
            files.push_back({{"path", name.substr(std::string_view(key::file_prefix).size())},
                             {"bytes", value.size()}});
        else
            document[name] = value.size() <= 256 ? Document(value)
                                                 : Document(fmt::format("{} bytes", value.size()));
    }
    if (!files.empty()) document["small_files"] = std::move(files);
    return document;
}

Result<Document> control_view(const Target& target) {
    return control_document(TRY(sys::read_file(sys::real_disk(), target.path)));
}

}  // namespace tarn::inspect
