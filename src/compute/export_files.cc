#include "compute/export_files.h"

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "compute/pgdata.h"
#include "compute/postgres_config.h"
#include "compute/stub_tree.h"
#include "pg/relation_path.h"
#include "store/verify.h"
#include "sys/files.h"
#include "wal/wal_carry.h"

namespace tarn::compute {

namespace {

std::string export_conf(uint32_t prepared_transactions) {
    std::string text =
        "# Made by `tarn export`. It is yours now: nothing writes it again.\n"
        "unix_socket_permissions = 0700  # pg_hba.conf trusts whoever gets that far\n"
        "# Subscriptions of the origin would take its changes: give them slots of their own "
        "first.\n"
        "max_logical_replication_workers = 0\n"
        "timezone = 'UTC'\n"
        "log_timezone = 'UTC'\n"
        "datestyle = 'iso, mdy'\n"
        "default_text_search_config = 'pg_catalog.english'\n";
    if (prepared_transactions > 0)
        text += fmt::format("max_prepared_transactions = {}\n", prepared_transactions);
    return text;
}

constexpr std::string_view kHba =
    "# Made by `tarn export`. Only the owner of this cluster, and root, reach its socket\n"
    "# (unix_socket_permissions). Roles have no passwords: give them some with ALTER ROLE.\n"
    "local all all trust\n"
    "host all all 127.0.0.1/32 scram-sha-256\n"
    "host all all ::1/128 scram-sha-256\n";

// Writes pages as the verifier visits them: file by file.
class PageWriter {
  public:
    PageWriter(const std::string& pgdata, int major)
        : pgdata_(pgdata), version_directory_(pg::tablespace_version_directory(major)) {}

    void visit(const store::FileRecord& file, uint32_t block, const void* page) {
        if (!page || !result_) return;
        result_ = write(file, block, page);
    }
    Result<void> end() { return std::move(result_); }

  private:
    Result<void> write(const store::FileRecord& file, uint32_t block, const void* page) {
        if (!open_ || id_ != file.id) {
            char path[pg::kMaxPathSize];
            pg::format_path(file.id, version_directory_, path, sizeof path);
            open_ = TRY(sys::File::open(sys::real_disk(), pgdata_ + "/" + path, O_WRONLY));
            id_ = file.id;
        }
        return open_->write(page, store::kBlockBytes, uint64_t{block} * store::kBlockBytes);
    }

    const std::string& pgdata_;
    const char* version_directory_;
    std::optional<sys::File> open_;
    FileId id_;
    Result<void> result_;
};

Result<void> write_pages(const store::Store& store, const MomentSource& source,
                         const std::string& pgdata) {
    PageWriter writer(pgdata, source.control.file.major);
    TRY(store::verify(store.disk(), store.root().c_str(), source.point,
                      [&](const store::FileRecord& file, uint32_t block, const void* page) {
                          writer.visit(file, block, page);
                      }));
    return writer.end();
}

// In archive recovery until the moment itself: PostgreSQL refuses to end before.
Result<pg::ControlImage> control_at(const MomentSource& source, uint64_t identifier) {
    auto image = TRY(pg::with_system_identifier(source.control.image, identifier));
    return pg::as_archive_recovery(image, source.end.end, source.end.tli);
}

}  // namespace

Result<void> write_cluster(const store::Store& store, const MomentSource& source,
                           const std::string& pgdata) {
    const pg::ControlFile& control = source.control.file;
    auto record = TRY(store.lineage(source.lineage));
    auto identifier = TRY(number_attachment(record.attachments, lineage_key::system_identifier));
    auto conf = export_conf(
        std::max(control.max_prepared_transactions, source.end.max_prepared_transactions));
    StubTree tree;
    TRY(plan_pgdata(tree, control.major, source.point));
    tree.directory("pg_wal");
    tree.file("postgresql.conf", conf);
    tree.file("pg_hba.conf", kHba);
    tree.file("pg_ident.conf", "");
    tree.file("recovery.signal", "");
    TRY(tree.apply(pgdata));
    TRY(write_pages(store, source, pgdata));
    TRY(wal::carry(store.disk(), source.files, pgdata + "/pg_wal",
                   {.from = control.checkpoint_copy.redo,
                    .tli = control.checkpoint_copy.tli,
                    .end = source.end.end,
                    .system_identifier = identifier}));
    auto image = TRY(control_at(source, identifier));
    return sys::write_scratch(
        sys::real_disk(), pgdata + "/global/pg_control",
        std::string_view(reinterpret_cast<const char*>(image.data()), image.size()));
}

}  // namespace tarn::compute
