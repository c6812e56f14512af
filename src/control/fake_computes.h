// fake_computes.h: Computes in memory, for tests of the control plane.
//
// Keeps the contract of computes.h (idempotent, children keep what they need) and nothing more.
// What it holds outlives the Control, as storage outlives a server. `before_call` can fail any call
// before it has an effect, `after_call` after it.
#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "compute/computes.h"

namespace tarn::control {

class FakeComputes : public compute::Computes {
  public:
    std::function<Result<void>(const std::string& call)> before_call;
    std::function<Result<void>(const std::string& call)> after_call;
    std::vector<int> installed = {16, 17, 18};

    std::set<std::string> made;                                 // lineages
    std::map<std::string, Result<compute::Verified>> findings;  // what reading a lineage finds
    std::vector<std::string> verified;                          // in this order
    std::map<std::string, std::string> parents;  // of branches: what they were made from
    std::map<std::string, Time> set_aside_from;
    std::map<std::string, Time> histories;  // lineage -> from when on it is kept
    bool has_more_history = false;          // of the next that is trimmed
    std::map<std::string, compute::HistoryCost> costs;
    std::map<std::string, uint64_t> kept;        // for a lineage, by what it was made from
    std::map<std::string, std::string> running;  // endpoint uid -> lineage
    std::set<std::string> directories;           // of endpoints that were started once
    std::set<std::string> roles;
    std::set<std::string> databases;
    std::map<std::string, compute::ComputeSpec> specs;  // of the last start
    int starts = 0;
    compute::DiskSpace disk;
    int ways_made = 0;  // for removals

    std::vector<int> majors() const override { return installed; }

    Result<void> create_root(const compute::LineageId& lineage, int) override {
        return call("create_root", [&] {
            made.insert(lineage);
            roles.insert("databricks_superuser");
            databases.insert("databricks_postgres");
        });
    }
    Result<compute::BranchPoint> create_branch(const compute::LineageId& lineage,
                                               const compute::LineageId& parent, const std::string&,
                                               const compute::Moment& moment) override {
        bool known = made.contains(parent);
        TRY(call("create_branch", [&] {
            if (known) made.insert(lineage);
            parents[lineage] = parent;
        }));
        if (!known) return error(Code::not_found, "lineage {} does not exist", parent);
        return find_moment(parent, moment);
    }
    Result<void> set_aside(const compute::LineageId& lineage, Time from) override {
        return call("set_aside", [&] { set_aside_from[lineage] = from; });
    }
    Result<compute::BranchPoint> find_moment(const compute::LineageId& lineage,
                                             const compute::Moment& moment) override {
        TRY(call("find_moment", [] {}));
        compute::BranchPoint point{Lsn{0x1b3c4d8}, Time{std::chrono::seconds{1}}};
        if (const Lsn* lsn = std::get_if<Lsn>(&moment)) point.lsn = *lsn;
        if (point.lsn > Lsn{0x2000000})
            return error(Code::bad_request, "{} is ahead of the newest of lineage {}",
                         point.lsn.text(), lineage);
        return point;
    }
    Result<void> begin_history(const compute::LineageId& lineage) override {
        return call("begin_history", [&] { histories[lineage] = Time{}; });
    }
    Result<bool> trim_history(const compute::LineageId& lineage, Time time) override {
        TRY(call("trim_history", [&] { histories[lineage] = time; }));
        return std::exchange(has_more_history, false);
    }
    std::optional<compute::HistoryCost> history(const compute::LineageId& lineage) const override {
        auto found = costs.find(lineage);
        return found == costs.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<uint64_t> kept_for(const compute::LineageId& lineage) const override {
        auto found = kept.find(lineage);
        return found == kept.end() ? std::nullopt : std::optional(found->second);
    }
    Result<void> drop_lineage(const compute::LineageId& lineage) override {
        return call("drop_lineage", [&] { made.erase(lineage); });
    }
    Result<uint64_t> logical_size(const compute::LineageId&) override { return 31760384; }

    compute::DiskSpace disk_space() override { return disk; }
    void make_way_for_removal() override { ++ways_made; }
    Result<std::vector<compute::LineageId>> lineages() const override {
        return std::vector<compute::LineageId>(made.begin(), made.end());
    }
    Result<std::vector<compute::LineageId>> unnamed(
        const std::set<compute::LineageId>& named) const override {
        std::vector<compute::LineageId> left;
        std::set_difference(made.begin(), made.end(), named.begin(), named.end(),
                            std::back_inserter(left));
        return left;
    }
    std::unique_ptr<compute::VerifyRound> begin_verifying(compute::Pace pace) override {
        return std::make_unique<Round>(*this, std::move(pace));
    }

    Result<void> check_settings(int, double, const std::map<std::string, std::string>&) override {
        return call("check_settings", [] {});
    }
    Result<compute::ComputeStatus> start(const compute::ComputeSpec& spec) override {
        if (!made.contains(spec.lineage))
            return error(Code::not_found, "lineage {} does not exist", spec.lineage);
        TRY(call("start", [&] {
            std::lock_guard lock(mutex_);
            starts += running.contains(spec.endpoint_uid) ? 0 : 1;
            running[spec.endpoint_uid] = spec.lineage;
            directories.insert(spec.endpoint_uid);
            specs[spec.endpoint_uid] = spec;
        }));
        return status(spec.endpoint_uid);
    }
    Result<void> stop(const std::string& endpoint_uid) override {
        return call("stop", [&] {
            std::lock_guard lock(mutex_);
            running.erase(endpoint_uid);
        });
    }
    Result<void> remove(const std::string& endpoint_uid) override {
        return call("remove", [&] {
            std::lock_guard lock(mutex_);
            running.erase(endpoint_uid);
            directories.erase(endpoint_uid);
        });
    }
    compute::ComputeStatus status(const std::string& endpoint_uid) const override {
        std::lock_guard lock(mutex_);
        if (!running.contains(endpoint_uid)) return {};
        compute::ComputeStatus status;
        status.state = compute::ComputeState::running;
        status.socket_directory = "/run/" + endpoint_uid;
        return status;
    }
    Result<void> adopt(const std::vector<compute::ComputeSpec>& known) override {
        std::set<std::string> uids;
        for (const auto& spec : known) uids.insert(spec.endpoint_uid);
        std::lock_guard lock(mutex_);
        std::erase_if(running, [&](const auto& entry) { return !uids.contains(entry.first); });
        std::erase_if(directories, [&](const std::string& uid) { return !uids.contains(uid); });
        return {};
    }
    void let_go() override {}
    Result<std::vector<compute::Row>> query(const std::string& endpoint_uid, const std::string&,
                                            const std::string& statement) override {
        if (!running.contains(endpoint_uid))
            return error(Code::unavailable, "endpoint {} does not run", endpoint_uid);
        std::vector<compute::Row> rows;
        TRY(call("query", [&] { rows = execute(statement); }));
        return rows;
    }
    Result<pg::PageChanges> page_changes(const std::string& endpoint_uid,
                                         const std::string& other_uid) override {
        TRY(call("page_changes", [] {}));
        if (!running.contains(endpoint_uid) || !running.contains(other_uid))
            return error(Code::unavailable, "only one of the two runs");
        return pg::PageChanges{};
    }
    void on_exit(std::function<void(const std::string&)> callback) override {
        exited_ = std::move(callback);
    }

    // The compute ends unasked.
    void crash(const std::string& endpoint_uid) {
        {
            std::lock_guard lock(mutex_);
            running.erase(endpoint_uid);
        }
        exited_(endpoint_uid);
    }

  private:
    class Round : public compute::VerifyRound {
      public:
        Round(FakeComputes& computes, compute::Pace pace)
            : computes_(computes), pace_(std::move(pace)) {}
        Result<std::optional<compute::Verified>> verify(
            const compute::LineageId& lineage) override {
            if (pace_.stopped()) return error(Code::unavailable, "the round is to end");
            TRY(computes_.call("verify", [&] { computes_.verified.push_back(lineage); }));
            if (!computes_.made.contains(lineage)) return std::optional<compute::Verified>();
            auto found = computes_.findings.find(lineage);
            if (found == computes_.findings.end()) return std::optional(compute::Verified{});
            if (!found->second.ok()) return found->second.error();
            return std::optional(*found->second);
        }

      private:
        FakeComputes& computes_;
        compute::Pace pace_;
    };

    Result<void> call(const std::string& name, const std::function<void()>& effect) {
        if (before_call) TRY(before_call(name));
        effect();
        if (after_call) TRY(after_call(name));
        return {};
    }

    // The few forms of statements that provision.cc uses, by their quoted names.
    std::vector<compute::Row> execute(const std::string& statement) {
        auto quoted = [&](char quote) {
            size_t begin = statement.find(quote) + 1;
            return statement.substr(begin, statement.find(quote, begin) - begin);
        };
        if (statement.starts_with("SELECT")) {
            bool role = statement.find("pg_roles") != statement.npos;
            return (role ? roles : databases).contains(quoted('\''))
                       ? std::vector<compute::Row>{{"1"}}
                       : std::vector<compute::Row>{};
        }
        if (statement.starts_with("CREATE ROLE \"")) roles.insert(quoted('"'));
        if (statement.starts_with("ALTER DATABASE databricks_postgres RENAME"))
            databases.erase("databricks_postgres"), databases.insert(quoted('"'));
        if (statement.starts_with("CREATE DATABASE")) databases.insert(quoted('"'));
        return {};
    }

    mutable std::mutex mutex_;
    std::function<void(const std::string&)> exited_ = [](const std::string&) {};
};

}  // namespace tarn::control
