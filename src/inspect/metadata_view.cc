// metadata_view.cc: records of the metadata.

#include "inspect/views.h"
#include "meta/records.h"
#include "sys/files.h"

namespace tarn::inspect {

Result<Document> record_view(const Target& target) {
    std::string bytes = TRY(sys::read_file(sys::real_disk(), target.path));
    auto record = meta::decode_record(bytes);
    Document document{{"bytes", bytes.size()}};
    if (!record) {
        add_damage(document, record.error().text());
        return document;
    }
    document["record"] = record->name.text();
    document["schema"] = record->schema;
    document["rows"] = Document::parse(record->rows, nullptr, false);
    return document;
}

}  // namespace tarn::inspect
