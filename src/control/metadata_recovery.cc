#include "control/metadata_recovery.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "compute/attachments.h"
#include "compute/layout.h"
#include "compute/lineages.h"
#include "compute/lives.h"
#include "compute/template.h"
#include "control/attach_lineage.h"
#include "meta/branches.h"
#include "meta/operations.h"
#include "meta/projects.h"
#include "sys/files.h"

namespace tarn::control {

namespace {

using meta::Record;
using meta::RecordKind;
using meta::Session;
using meta::State;

constexpr auto kAll = std::numeric_limits<int64_t>::max();

enum class Storage { whole, missing, dropped };

// Could not be put back, though the database can be written: that costs this record only.
bool is_of_the_record(const Error& failure) {
    return failure.code() == Code::already_exists || failure.code() == Code::data_loss ||
           failure.code() == Code::bad_request || failure.code() == Code::internal;
}

class Recovery {
  public:
    Recovery(const StoredRecords& records, const store::Store& store,
             const RecoveryRequest& request, const Environment& environment)
        : stored_(records), store_(store), request_(request), environment_(environment) {}

    Result<void> look_at_store() {
        for (uint64_t lineage : TRY(store_.lineages())) {
            std::string text = compute::lineage_text(lineage);
            bool dropped =
                TRY(sys::exists(store_.disk(), compute::dropped_marker(store_.root(), lineage)));
            auto incarnations = store_.incarnations(lineage);
            bool empty = incarnations && incarnations->empty();  // its making was cut short
            storage_[text] = dropped ? Storage::dropped : empty ? Storage::missing : Storage::whole;
        }
        return {};
    }

    Result<Recovered> run(Session& session) {
        if (stored_.whole.empty() && stored_.damaged.empty())
            lose("all records: there are none, so neither users, tokens nor projects are known");
        for (const UnreadableRecord& each : stored_.damaged)
            lose(fmt::format("{}: {}", each.path, each.why.text()));
        for (const Record* record : in_order()) TRY(put_back(session, *record));
        TRY(mend_projects(session));
        TRY(mend_branches(session));
        TRY(find_unnamed(session));
        TRY(mend_projects(session));  // of what was attached
        return std::move(recovered_);
    }

  private:
    void lose(std::string what) { recovered_.lost.push_back(std::move(what)); }
    void note(std::string what) { recovered_.notes.push_back(std::move(what)); }

    // What others refer to first; of two that claim the same, the one that was changed last.
    std::vector<const Record*> in_order() const {
        std::vector<const Record*> records;
        for (const Record& record : stored_.whole) records.push_back(&record);
        auto changed = [](const Record& record) {
            switch (record.name.kind) {
                case RecordKind::server:
                    return int64_t{0};
                case RecordKind::project:
                    return meta::integer_in(record, "projects", "update_time").value_or(0);
                case RecordKind::branch:
                    return meta::integer_in(record, "branches", "update_time").value_or(0);
                case RecordKind::snapshot:
                    return meta::integer_in(record, "snapshots", "create_time").value_or(0);
            }
            return int64_t{0};
        };
        std::map<const Record*, int64_t> times;
        for (const Record* record : records) times[record] = changed(*record);
        std::sort(records.begin(), records.end(), [&](const Record* a, const Record* b) {
            if (a->name.kind != b->name.kind) return a->name.kind < b->name.kind;
            if (times[a] != times[b]) return times[a] > times[b];
            return a->name < b->name;
        });
        return records;
    }

    Result<void> put_back(Session& session, const Record& record) {
        if (record.name.kind == RecordKind::branch || record.name.kind == RecordKind::snapshot) {
            if (!has_storage(record)) return {};
            TRY(bring_project(session, record));
        }
        auto done = meta::insert_record(session, record);
        if (!done && !is_of_the_record(done.error())) return done;
        if (!done) {
            lose(fmt::format("{}: {}", record.name.text(), done.error().text()));
            return {};
        }
        count(record);
        return {};
    }

    // A row without its storage would fail whoever asks for it; one that was on its way in or out
    // goes on. But whole storage never goes for what a record says, which may be older: a reset,
    // for example, had exchanged it since.
    bool has_storage(const Record& record) {
        std::string_view table = record.name.kind == RecordKind::branch ? "branches" : "snapshots";
        std::string lineage = meta::text_in(record, table, "lineage").value_or("");
        std::string state = meta::text_in(record, table, "state").value_or("");
        auto found = storage_.find(lineage);
        Storage storage = found == storage_.end() ? Storage::missing : found->second;
        bool leaving = state == name(State::purging);
        if (leaving && storage == Storage::whole) {
            note(fmt::format("{} {} was being removed, and lineage {} is still whole: it stays",
                             table == "branches" ? "branch" : "snapshot", record.name.uid,
                             lineage));
            return false;
        }
        if (storage == Storage::whole || leaving || state == name(State::creating)) {
            named_.insert(lineage);
            return true;
        }
        lose(fmt::format("{} {} ({}): its storage, lineage {}, {}",
                         table == "branches" ? "branch" : "snapshot", record.name.uid,
                         meta::text_in(record, table, "id").value_or("?"), lineage,
                         storage == Storage::dropped ? "was dropped" : "is not in the store"));
        return false;
    }

    Result<void> bring_project(Session& session, const Record& record) {
        if (record.name.kind != RecordKind::branch) return {};
        auto uid = meta::text_in(record, "branches", "project_uid").value_or("");
        if (TRY(meta::get_project(session, uid))) return {};
        auto done = meta::insert_project_of(session, record);
        if (!done && !is_of_the_record(done.error())) return done;
        if (!done) return {};  // the branch's own row will say what it lacks
        ++recovered_.projects;
        note(
            fmt::format("project {}: its own record is lost; its settings are as the record of "
                        "branch {} has them, and may be older; its history is kept for 35 days, "
                        "and it is not deleted, until you say otherwise",
                        uid, record.name.uid));
        return {};
    }

    void count(const Record& record) {
        auto add = [&](int64_t& sum, std::string_view table) {
            sum += static_cast<int64_t>(meta::count_in(record, table));
        };
        add(recovered_.users, "users");
        add(recovered_.tokens, "tokens");
        add(recovered_.projects, "projects");
        add(recovered_.branches, "branches");
        add(recovered_.endpoints, "endpoints");
        add(recovered_.roles, "roles");
        add(recovered_.databases, "databases");
        add(recovered_.schedules, "snapshot_schedules");
        add(recovered_.snapshots, "snapshots");
        add(recovered_.operations, "operations");
    }

    Result<void> mend_projects(Session& session) {
        for (auto& project : TRY(meta::list_projects(session, "", true, kAll))) {
            if (TRY(meta::get_branch(session, project.default_branch_uid))) continue;
            for (const auto& branch : TRY(meta::all_branches(session, project.uid))) {
                if (branch.state != State::ready) continue;
                note(fmt::format("project {}: its default branch is lost; {} is the default now",
                                 project.id, branch.id));
                project.default_branch_uid = branch.uid;
                TRY(meta::update_project(session, project));
                break;
            }
        }
        return {};
    }

    // What was under way and of which no operation was recorded that would end it.
    Result<void> mend_branches(Session& session) {
        std::set<std::string> busy;
        for (const auto& operation : TRY(meta::pending_operations(session)))
            busy.insert(operation.resource_uid);
        for (const auto& project : TRY(meta::list_projects(session, "", true, kAll))) {
            if (busy.contains(project.uid)) continue;
            for (auto& branch : TRY(meta::all_branches(session, project.uid))) {
                if (branch.replaced_by && !TRY(meta::get_branch(session, *branch.replaced_by))) {
                    branch.replaced_by.reset();
                    TRY(meta::update_branch(session, branch));
                }
                if (branch.state != State::creating || busy.contains(branch.uid)) continue;
                auto found = storage_.find(branch.lineage);
                bool whole = found != storage_.end() && found->second == Storage::whole;
                branch.state = whole ? State::ready : State::purging;
                TRY(meta::update_branch(session, branch));
                note(fmt::format("branch {} was being created; it {}", branch.id,
                                 whole ? "is there" : "goes: its storage had not been made"));
            }
        }
        return {};
    }

    Result<void> find_unnamed(Session& session) {
        LineageAttacher attacher(store_, request_, environment_);
        for (const std::string& lineage : named_) attacher.know(session, lineage);
        for (const auto& [text, storage] : storage_) {
            uint64_t lineage = TRY(compute::parse_lineage_id(text));
            if (storage == Storage::missing && !named_.contains(text))
                note(fmt::format("lineage {} was being made, and holds nothing", text));
            if (storage != Storage::whole || named_.contains(text) ||
                lineage < compute::kFirstProjectLineage)
                continue;
            UnnamedLineage unnamed = TRY(attacher.describe(session, lineage));
            if (request_.attach && unnamed.pg_major != 0)
                unnamed.branch = TRY(attacher.attach(session, lineage, unnamed));
            recovered_.unnamed.push_back(std::move(unnamed));
        }
        return {};
    }

    const StoredRecords& stored_;
    const store::Store& store_;
    const RecoveryRequest& request_;
    const Environment& environment_;
    std::map<std::string, Storage> storage_;  // of each lineage of the store
    std::set<std::string> named_;             // by a record that was put back
    Recovered recovered_;
};

}  // namespace

Result<Recovered> recover_metadata(meta::Meta& meta, const StoredRecords& records,
                                   const store::Store& store, const RecoveryRequest& request,
                                   const Environment& environment) {
    Recovery recovery(records, store, request, environment);
    TRY(recovery.look_at_store());
    return meta.write([&](Session& session) { return recovery.run(session); });
}

}  // namespace tarn::control
