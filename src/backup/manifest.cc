#include "backup/manifest.h"

#include <nlohmann/json.hpp>

#include <algorithm>

#include "sys/paths.h"

namespace tarn::backup {

namespace {

using nlohmann::json;

bool is_hash(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

json encode_file(const SavedFile& file) {
    return {{"path", file.path},
            {"bytes", file.bytes},
            {"mode", file.mode},
            {"stamp", {file.stamp.inode, file.stamp.bytes, file.stamp.changed}},
            {"parts", file.parts}};
}

// Throws what the library throws where a field is missing or of another kind.
SavedFile decode_file(const json& text) {
    SavedFile file;
    text.at("path").get_to(file.path);
    text.at("bytes").get_to(file.bytes);
    text.at("mode").get_to(file.mode);
    text.at("stamp").at(0).get_to(file.stamp.inode);
    text.at("stamp").at(1).get_to(file.stamp.bytes);
    text.at("stamp").at(2).get_to(file.stamp.changed);
    text.at("parts").get_to(file.parts);
    return file;
}

bool makes_sense(const SavedFile& file) {
    return sys::stays_below(file.path) &&
           file.parts.size() == file.bytes / kPartBytes + (file.bytes % kPartBytes != 0) &&
           std::all_of(file.parts.begin(), file.parts.end(),
                       [](const std::string& part) { return part.empty() || is_hash(part); });
}

Error no_manifest(std::string_view why) {
    return error(Code::data_loss, "this is no list of a backup's files: {}", why);
}

}  // namespace

uint64_t Manifest::bytes() const {
    uint64_t sum = 0;
    for (const SavedFile& file : files) sum += file.bytes;
    return sum;
}

bool may_have_holes(const std::string& path) {
    return path.ends_with(".pages") || path.ends_with(".slots") || path.ends_with(".packed") ||
           path.find("/wal/") != path.npos || path.find("/wal_archive/") != path.npos;
}

std::string sortable(Time time) {
    auto second = std::chrono::floor<std::chrono::seconds>(time);
    std::string text = rfc3339(second);
    std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
    text.pop_back();
    auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(time - second);
    return fmt::format("{}.{:03}Z", text, rest.count());
}

std::string backup_id(Time taken, const std::string& source) {
    return sortable(taken) + "-" + source.substr(0, 8);
}

std::string source_in(const std::string& id) {
    return id.substr(id.rfind('-') + 1);
}

std::string encode(const Manifest& manifest) {
    json files = json::array();
    for (const SavedFile& file : manifest.files) files.push_back(encode_file(file));
    return json{{"tarn_backup", kManifestVersion},  {"id", manifest.id},
                {"source", manifest.source},        {"version", manifest.version},
                {"taken", rfc3339(manifest.taken)}, {"encrypted", manifest.encrypted},
                {"part_bytes", kPartBytes},         {"directories", manifest.directories},
                {"files", std::move(files)},        {"problems", manifest.problems}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Manifest> decode_manifest(std::string_view text) {
    Manifest manifest;
    std::string taken;
    try {
        json root = json::parse(text);
        if (int version = root.at("tarn_backup").get<int>(); version > kManifestVersion)
            return error(Code::bad_request,
                         "the backup's list of files has version {}, this program knows {}",
                         version, kManifestVersion)
                .with_hint("use the newer tarn that made it");
        root.at("id").get_to(manifest.id);
        root.at("source").get_to(manifest.source);
        root.at("version").get_to(manifest.version);
        root.at("taken").get_to(taken);
        root.at("encrypted").get_to(manifest.encrypted);
        root.at("directories").get_to(manifest.directories);
        root.at("problems").get_to(manifest.problems);
        if (root.at("part_bytes").get<uint64_t>() != kPartBytes)
            return no_manifest("its parts have another size");
        for (const json& file : root.at("files")) manifest.files.push_back(decode_file(file));
    } catch (const json::exception& failure) {
        return no_manifest(failure.what());
    }
    auto time = parse_rfc3339(taken);
    if (!time) return no_manifest(time.error().message());
    manifest.taken = *time;
    for (const SavedFile& file : manifest.files)
        if (!makes_sense(file)) return no_manifest("what it says of a file cannot be");
    if (!std::all_of(manifest.directories.begin(), manifest.directories.end(), sys::stays_below))
        return no_manifest("a directory lies outside");
    return manifest;
}

}  // namespace tarn::backup
