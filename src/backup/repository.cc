#include "backup/repository.h"

#include <algorithm>

#include "base/log.h"

namespace tarn::backup {

namespace {

constexpr std::string_view kObjects = "objects/";
constexpr std::string_view kBackups = "backups/";

// Two levels, so that no directory has all of them.
std::string object_name(const std::string& hash) {
    return fmt::format("{}{}/{}", kObjects, hash.substr(0, 2), hash);
}

std::string manifest_name(const std::string& id) {
    return std::string(kBackups) + id;
}

}  // namespace

Result<std::map<std::string, uint64_t>> Repository::parts() {
    std::map<std::string, uint64_t> found;
    for (const auto& object : TRY(store_->list(std::string(kObjects))))
        found[object.name.substr(object.name.rfind('/') + 1)] = object.bytes;
    return found;
}

Result<void> Repository::remove_part(const std::string& hash) {
    known_.erase(hash);
    return store_->remove(object_name(hash));
}

Result<void> Repository::look() {
    known_.clear();
    for (const auto& [hash, bytes] : TRY(parts())) known_.insert(hash);
    return {};
}

Result<std::string> Repository::put_part(std::string_view contents) {
    std::string hash = TRY(envelope_.name_of(contents));
    if (known_.contains(hash)) return hash;
    std::string name = object_name(hash);
    std::string object = TRY(envelope_.wrap(name, contents));
    auto put = store_->put(name, object);
    // To who takes a backup, what is not found is a file of a branch that is gone.
    if (!put && put.error().code() == Code::not_found)
        return error(Code::io_error, "{} is not there any more: {}", place(),
                     put.error().message());
    TRY(std::move(put));
    known_.insert(hash);
    ++sent_.objects;
    sent_.bytes += object.size();
    return hash;
}

Result<std::string> Repository::get_part(const std::string& hash) {
    std::string name = object_name(hash);
    auto contents = TRY(envelope_.unwrap(name, TRY(store_->get(name))));
    if (TRY(envelope_.name_of(contents)) != hash)
        return error(Code::data_loss, "object {} is damaged: it has other contents", name);
    return contents;
}

Result<std::vector<std::string>> Repository::ids() {
    std::vector<std::string> ids;
    for (const auto& object : TRY(store_->list(std::string(kBackups))))
        ids.push_back(object.name.substr(kBackups.size()));
    std::sort(ids.begin(), ids.end());
    return ids;
}

Result<void> Repository::put_manifest(const Manifest& manifest) {
    std::string name = manifest_name(manifest.id);
    return store_->put(name, TRY(envelope_.wrap(name, encode(manifest))));
}

Result<void> Repository::forget(const std::string& id) {
    return store_->remove(manifest_name(id));
}

Error Repository::no_backup() const {
    return error(Code::not_found, "there is no backup in {}", place())
        .with_hint(
            "make one with: tarn backup --to ...; if there was one, look whether the place and its "
            "prefix are the right ones, and whether it is mounted");
}

Result<std::string> Repository::only_newest() {
    std::map<std::string, std::string> newest;  // of each source
    for (const std::string& id : TRY(ids())) newest[source_in(id)] = id;
    if (newest.empty()) return no_backup();
    if (newest.size() == 1) return newest.begin()->second;
    std::string all;
    for (const auto& [source, id] : newest) all += (all.empty() ? "" : ", ") + id;
    return error(Code::bad_request,
                 "{} has backups of {} servers, or of one before and after a restore", place(),
                 newest.size())
        .with_hint("say which with --backup; the newest of each: " + all);
}

Result<Manifest> Repository::manifest(const std::string& id) {
    std::string name = manifest_name(id);
    auto object = store_->get(name);
    if (!object && object.error().code() == Code::not_found)
        return error(Code::not_found, "there is no backup '{}' in {}", id, place())
            .with_hint("tarn backup list says which there are");
    auto contents = TRY(envelope_.unwrap(name, TRY(std::move(object))));
    auto manifest = TRY_CTX(decode_manifest(contents), "read {}", name);
    if (manifest.id != id)
        return error(Code::data_loss, "object {} is damaged: it is that of {}", name, manifest.id);
    return manifest;
}

Result<std::optional<Manifest>> Repository::newest_of(const std::string& source) {
    auto all = TRY(ids());
    for (auto id = all.rbegin(); id != all.rend(); ++id) {
        auto found = manifest(*id);
        if (found && found->source == source) return std::optional(std::move(*found));
        // It would only have saved time; whether it can be restored is asked elsewhere.
        if (!found) log::warn("backup: {}: {}", *id, found.error().text());
    }
    return std::optional<Manifest>();
}

// What is left over is no reason to refuse what has to be done.
void Repository::remove_leftovers(Time before) {
    for (const char* folder : {"objects", "backups", "running"})
        if (auto removed = store_->remove_leftovers(folder, before); !removed)
            log::warn("backup: remove what dead writers left in {}: {}", place(),
                      removed.error().text());
}

}  // namespace tarn::backup
