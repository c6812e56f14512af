#include "inspect/tree.h"

#include <sys/stat.h>

#include "compute/fence.h"
#include "compute/history.h"
#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/lives.h"
#include "compute/set_aside.h"
#include "compute/template.h"
#include "inspect/attachments_view.h"
#include "pg/wal_name.h"
#include "store/log_state.h"
#include "store/orphans.h"
#include "store/paths.h"
#include "sys/files.h"
#include "wal/segment_id.h"

namespace tarn::inspect {

namespace {

namespace key = compute::restore_point_key;

// What the file system holds for it: holes cost nothing.
uint64_t disk_bytes(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_blocks) * 512 : 0;
}

uint64_t disk_bytes_below(const store::Store& store, const std::string& path) {
    auto names = sys::list_names(store.disk(), path);
    if (!names) return disk_bytes(path);
    uint64_t bytes = 0;
    for (const std::string& name : *names) bytes += disk_bytes_below(store, path + "/" + name);
    return bytes;
}

struct Sum {
    uint64_t files = 0, bytes = 0;
    Document document() const { return {{"files", files}, {"on_disk", size_text(bytes)}}; }
};

// The files of a directory by the end of their names.
std::map<std::string, Sum> sums_of(const store::Store& store, const std::string& directory) {
    std::map<std::string, Sum> sums;
    auto names = sys::list_names_if_any(store.disk(), directory);
    if (!names) return sums;
    for (const std::string& name : *names) {
        size_t dot = name.rfind('.');
        Sum& sum = sums[dot == name.npos ? "" : name.substr(dot)];
        ++sum.files;
        sum.bytes += disk_bytes(directory + "/" + name);
    }
    return sums;
}

bool is_wal_file(std::string_view name) {
    if (wal::is_compressed_name(name)) name.remove_suffix(wal::kCompressedSuffix.size());
    return pg::is_wal_name(name);
}

Document wal_document(const store::Store& store, const std::string& directory) {
    Document rows = Document::array();
    for (const char* part : {store::kWalDirectory, store::kWalArchiveDirectory}) {
        auto names = sys::list_names_if_any(store.disk(), directory + "/" + part);
        if (names)
            std::erase_if(*names, [](const std::string& name) { return !is_wal_file(name); });
        if (!names || names->empty()) continue;
        uint64_t bytes = 0;
        for (const std::string& name : *names)
            bytes += disk_bytes(fmt::format("{}/{}/{}", directory, part, name));
        rows.push_back({{"in", part},
                        {"files", names->size()},
                        {"first", names->front()},
                        {"last", names->back()},
                        {"on_disk", size_text(bytes)}});
    }
    return rows;
}

std::string state_text(const store::Store& store, store::LogId log) {
    auto state = store::log_state(store.disk(), store.root().c_str(), log);
    if (!state) return state.error().text();
    return *state ? text_of(**state) : "no map";
}

std::string attachment(const compute::Attachments& attachments, const char* name) {
    auto found = attachments.find(name);
    return found == attachments.end() ? "-" : found->second;
}

class LineageTree {
  public:
    LineageTree(const store::Store& store, uint64_t lineage) : store_(store), lineage_(lineage) {}

    Document document() {
        add_record();
        add_history();
        auto incarnations = store_.incarnations(lineage_);
        if (!incarnations) {
            add_damage(document_, incarnations.error().text());
            return std::move(document_);
        }
        Document all = Document::array();
        for (uint32_t number : *incarnations) all.push_back(incarnation({lineage_, number}));
        document_["incarnations"] = std::move(all);
        return std::move(document_);
    }

  private:
    void add_record() {
        document_["lineage"] = compute::lineage_text(lineage_);
        auto record = store_.lineage(lineage_);
        if (!record) return add_damage(document_, record.error().text());
        document_["began_from"] =
            record->parent.number == 0 ? "nothing" : compute::text_of(record->parent);
        document_["attachments"] = attachments_document(record->attachments);
    }

    void add_history() {
        std::string lock = compute::lineage_lock_path(store_.root(), lineage_);
        document_["compute_runs"] = compute::is_held(lock);
        auto mark = sys::exists(store_.disk(), compute::dropped_marker(store_.root(), lineage_));
        if (mark && *mark) document_["dropped"] = "yes: it stays while others need its history";
        auto kept = compute::kept_from(store_, lineage_);
        if (!kept)
            add_damage(document_, kept.error().text());
        else if (*kept)
            document_["kept_from"] =
                fmt::format("{} ({})", (*kept)->lsn.text(), rfc3339((*kept)->time));
        auto aside = compute::set_aside_of(store_, lineage_);
        if (!aside)
            add_damage(document_, aside.error().text());
        else if (*aside)
            document_["set_aside"] =
                fmt::format("{} to {}", rfc3339((*aside)->from), rfc3339((*aside)->until));
    }

    Document incarnation(store::LogId log) {
        std::string directory = store::incarnation_directory(store_.root().c_str(), log).text;
        Document document{{"incarnation", log.incarnation}};
        auto record = store_.incarnation(log);
        if (!record) {
            add_damage(document, record.error().text());
        } else {
            document["base"] =
                record->base.number == 0 ? "nothing" : compute::text_of(record->base);
            for (const auto& [name, value] : record->attachments) document[name] = value;
        }
        document["map"] = state_text(store_, log);
        auto sums = sums_of(store_, directory);
        for (const char* end : {".pages", ".packed", ".slots", ".index", ".restore"})
            document[std::string(end).substr(1)] = sums[end].document();
        document["wal"] = wal_document(store_, directory);
        auto numbers = store_.restore_points(log);
        if (!numbers) {
            add_damage(document, numbers.error().text());
            return document;
        }
        Document points = Document::array();
        for (uint32_t number : *numbers) points.push_back(point({log, number}));
        document["restore_points"] = std::move(points);
        return document;
    }

    Document point(const store::RestorePointId& id) {
        auto point = store_.restore_point(id);
        if (!point) {
            Document document{{"number", id.number}, {"taken", "DAMAGED"}};
            add_damage(document_, point.error().text());
            return document;
        }
        const auto& attachments = point->attachments;
        Document document{{"number", id.number},
                          {"taken", attachment(attachments, key::taken)},
                          {"consistent_lsn", attachment(attachments, key::consistent_lsn)}};
        auto control = compute::control_of(*point);
        document["redo"] = control ? control->file.checkpoint_copy.redo.text() : "DAMAGED";
        if (!control) add_damage(document_, control.error().text());
        auto replay = compute::number_attachment(attachments, key::replay_us);
        document["replay_s"] =
            replay && last_replay_ && *replay >= *last_replay_
                ? Document(
                      fmt::format("{:.1f}", static_cast<double>(*replay - *last_replay_) / 1e6))
                : Document();
        if (replay) last_replay_ = *replay;
        document["indexes"] = point->indexes.size();
        document["files"] = point->files.size();
        document["logical_size"] = size_text(compute::bytes_of_files(*point));
        return document;
    }

    const store::Store& store_;
    uint64_t lineage_;
    Document document_;
    std::optional<uint64_t> last_replay_;  // of the restore point before
};

std::string what_it_is(const std::string& text, uint64_t lineage, const LineageNames& names) {
    auto found = names.find(text);
    if (found != names.end()) return found->second;
    return lineage < compute::kFirstProjectLineage
               ? fmt::format("template of PostgreSQL {}", lineage)
               : "-";
}

}  // namespace

Result<Document> store_document(const store::Store& store, const LineageNames& names) {
    Document rows = Document::array(), document;
    for (uint64_t lineage : TRY(store.lineages())) {
        std::string text = compute::lineage_text(lineage);
        auto record = store.lineage(lineage);
        if (!record) add_damage(document, record.error().text());
        auto incarnations = store.incarnations(lineage);
        auto points = store.restore_points(lineage);
        bool is_branch = record && record->parent.number != 0;
        std::string path = store::lineage_directory(store.root().c_str(), lineage).text;
        rows.push_back(
            {{"lineage", text},
             {"is", what_it_is(text, lineage, names)},
             {"began_from", is_branch ? Document(compute::text_of(record->parent)) : Document()},
             {"incarnations", incarnations ? Document(incarnations->size()) : Document()},
             {"restore_points", points ? Document(points->size()) : Document()},
             {"bytes", size_text(store::bytes_below(store.disk(), path))},
             {"on_disk", size_text(disk_bytes_below(store, path))},
             {"runs", compute::is_held(compute::lineage_lock_path(store.root(), lineage))}});
    }
    document["store"] = store.root();
    document["lineages"] = std::move(rows);
    return document;
}

Result<Document> lineage_document(const store::Store& store, uint64_t lineage,
                                  const LineageNames& names) {
    std::string path = store::lineage_directory(store.root().c_str(), lineage).text;
    if (!TRY(sys::exists(store.disk(), path)))
        return error(Code::not_found, "there is no lineage {} in {}",
                     compute::lineage_text(lineage), store.root())
            .with_hint("`tarn inspect` without a name lists them");
    Document document{{"is", what_it_is(compute::lineage_text(lineage), lineage, names)}};
    document.update(LineageTree(store, lineage).document());
    return document;
}

}  // namespace tarn::inspect
