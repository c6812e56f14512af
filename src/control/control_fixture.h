// control_fixture.h: a control plane over a metadata file of its own and computes in memory, with a
// clock that tests turn and operations that run when tests say so.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "control/control.h"
#include "control/fake_computes.h"

namespace tarn::control {

class ControlFixture : public testing::Test {
  protected:
    ControlFixture() {
        // In memory where that is possible: thousands of syncs are not what is tested here.
        std::string base =
            std::filesystem::is_directory("/dev/shm") ? "/dev/shm/" : testing::TempDir();
        std::string pattern = base + "tarn-control-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        options_.addresses = AddressBlock::parse("127.77.0.0/16").value();
        open();
    }
    ~ControlFixture() override {
        control_.reset();
        meta_.reset();
        std::filesystem::remove_all(directory_);
    }

    // A new server on the same files and computes.
    void open(meta::Meta::Options meta_options = {}) {
        control_.reset();
        meta_.reset();
        auto meta = meta::Meta::open(directory_ + "/meta.db", std::move(meta_options));
        ASSERT_TRUE(meta.ok()) << meta.error().text();
        meta_ = std::move(meta).value();
        Environment environment{[this] { return now_; }, [this] { return draw(); }};
        auto control = Control::open(*meta_, computes_, environment, options_);
        ASSERT_TRUE(control.ok()) << control.error().text();
        control_ = std::move(control).value();
        auto adopted = control_->wake.adopt();
        ASSERT_TRUE(adopted.ok()) << adopted.error().text();
    }

    void pass(Span span) { now_ += span; }
    // Carries out what is pending and due.
    void settle() {
        while (control_->reconciler.run_one()) continue;
    }

    Result<meta::OperationRow> create_project(const std::string& id) {
        ProjectDraft draft;
        draft.id = id;
        return control_->projects.create(caller_, draft);
    }
    Result<meta::OperationRow> create_branch(const std::string& project, const std::string& id,
                                             Expiration expiration = NoExpiry{},
                                             const std::string& source = "") {
        BranchDraft draft;
        draft.project = project;
        draft.id = id;
        draft.values.expiration = expiration;
        if (!source.empty()) draft.source.branch = branch_name(project, source);
        return control_->branches.create(draft);
    }
    // The error's text, "" if there is none.
    template <class T>
    static std::string message(const Result<T>& result) {
        return result.ok() ? "" : result.error().message();
    }
    std::string project_error(const std::string& id) { return message(create_project(id)); }

    OperationView outcome(const Result<meta::OperationRow>& operation) {
        EXPECT_TRUE(operation.ok()) << message(operation);
        auto view = control_->operations.get(operation->resource_name, operation->id, Span{0});
        EXPECT_TRUE(view.ok()) << message(view);
        return *view;
    }
    EndpointView primary(const std::string& project, const std::string& branch = "production") {
        auto view = control_->endpoints.get(project, branch, "primary");
        EXPECT_TRUE(view.ok()) << message(view);
        return *view;
    }
    Result<meta::OperationRow> update_primary(const std::string& project,
                                              const EndpointPatch& patch) {
        return control_->endpoints.update(project, "production", "primary", patch);
    }

    uint64_t draw() {
        // splitmix64: every draw differs, and every run draws the same.
        uint64_t z = (seed_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }

    std::string directory_;
    Options options_;
    Time now_{std::chrono::seconds{1'800'000'000}};
    uint64_t seed_ = 1;
    FakeComputes computes_;
    std::unique_ptr<meta::Meta> meta_;
    std::unique_ptr<Control> control_;
    Identity caller_{.id = 7,
                     .user_name = "Jane.Doe@example.com",
                     .display_name = "Jane",
                     .is_service_principal = false,
                     .is_admin = true};
};

}  // namespace tarn::control
