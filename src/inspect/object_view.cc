// object_view.cc: objects of a backup, and the manifest that may be in one.

#include <cstring>
#include <filesystem>

#include "backup/manifest.h"
#include "inspect/views.h"
#include "objects/envelope.h"
#include "sys/files.h"

namespace tarn::inspect {

namespace {

Document manifest_document(std::string_view text, const Narrow& narrow) {
    auto manifest = backup::decode_manifest(text);
    if (!manifest) {
        Document document{{"bytes", text.size()}};
        add_damage(document, manifest.error().text());
        return document;
    }
    Document files = Document::array();
    for (const backup::SavedFile& file : manifest->files) {
        if (files.size() >= narrow.limit) break;
        files.push_back({{"path", file.path}, {"bytes", file.bytes}, {"parts", file.parts.size()}});
    }
    return {{"backup", manifest->id},
            {"source", manifest->source},
            {"version", manifest->version},
            {"taken", rfc3339(manifest->taken)},
            {"encrypted", manifest->encrypted},
            {"size", size_text(manifest->bytes())},
            {"directories", manifest->directories.size()},
            {"problems", manifest->problems},
            {"file_count", manifest->files.size()},
            {"files", std::move(files)}};
}

}  // namespace

Result<Document> object_view(const Target& target, const Narrow& narrow) {
    std::string bytes = TRY(sys::read_file(sys::real_disk(), target.path));
    objects::EnvelopeHeader header{};
    std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof header));
    bool encrypted = (header.flags & objects::envelope_flag::encrypted) != 0;
    Document document{{"bytes", size_text(bytes.size())},
                      {"version", header.version},
                      {"compressed", (header.flags & objects::envelope_flag::zstd) != 0},
                      {"encrypted", encrypted},
                      {"contents", size_text(header.plain_bytes)}};
    if (encrypted) return document;
    std::filesystem::path path = target.path;
    auto contents = objects::Envelope().unwrap(path.filename(), bytes);
    if (!contents)
        add_damage(document, contents.error().text());
    else if (path.parent_path().filename() == "backups")
        document["manifest"] = manifest_document(*contents, narrow);
    return document;
}

}  // namespace tarn::inspect
