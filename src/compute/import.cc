#include "compute/import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/time.h"
#include "compute/attachments.h"
#include "compute/files.h"
#include "compute/opening.h"
#include "compute/pgdata.h"
#include "pg/relation_path.h"
#include "store/page_log.h"
#include "store/paths.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "wal/wal_carry.h"
#include "wal/wal_end.h"
#include "wal/wal_files.h"

namespace tarn::compute {

namespace {

constexpr uint32_t kPagesAtOnce = 64;

struct Cluster {
    std::string pgdata;
    pg::ControlImage image;
    pg::ControlFile control;
};

Result<Cluster> look_at(const std::string& pgdata) {
    Cluster cluster;
    cluster.pgdata = pgdata;
    auto bytes = TRY(sys::read_file(sys::real_disk(), pgdata + "/global/pg_control"));
    if (bytes.size() != cluster.image.size())
        return error(Code::data_loss, "{}/global/pg_control has {} bytes", pgdata, bytes.size());
    std::memcpy(cluster.image.data(), bytes.data(), bytes.size());
    cluster.control = TRY(pg::decode_control_file(cluster.image));
    if (cluster.control.state != pg::ClusterState::shut_down)
        return error(Code::bad_request, "cluster {} is not shut down: {}", pgdata,
                     pg::cluster_state_name(cluster.control.state));
    return cluster;
}

// Copies a page file into the log.
Result<void> import_pages(store::PageLog& log, FileId id, const std::string& path) {
    bool created = false;
    int failure = 0;
    auto* file = log.map().find_or_create(id, &created, &failure);
    if (!file) return errno_error(-failure, fmt::format("enter {} into the map", path));
    sys::File source = TRY(sys::File::open(sys::real_disk(), path, O_RDONLY));
    std::vector<char> bytes(kPagesAtOnce * store::kBlockBytes);
    for (uint32_t block = 0;;) {
        size_t got =
            TRY(source.read_some(bytes.data(), bytes.size(), uint64_t{block} * store::kBlockBytes));
        if (got % store::kBlockBytes != 0)
            return error(Code::data_loss, "{} ends inside a page", path);
        auto count = static_cast<uint32_t>(got / store::kBlockBytes);
        if (count == 0) return {};
        const void* pages[kPagesAtOnce];
        for (uint32_t i = 0; i < count; ++i) pages[i] = bytes.data() + i * store::kBlockBytes;
        if (int result = log.write(file, block, pages, count); result < 0)
            return errno_error(-result, fmt::format("write pages of {} to the log", path));
        block += count;
        log.map().grow_length(file, block);
    }
}

// Every page file below PGDATA goes into the log.
Result<void> import_files(store::PageLog& log, const Cluster& cluster) {
    const char* version = pg::tablespace_version_directory(cluster.control.major);
    std::error_code failure;
    std::filesystem::recursive_directory_iterator at(cluster.pgdata, failure), end;
    for (; !failure && at != end; at.increment(failure)) {
        if (!at->is_regular_file(failure)) continue;
        auto path = at->path().string();
        auto relative = path.substr(cluster.pgdata.size() + 1);
        auto type = pg::classify_path(relative, version);
        if (type.kind == pg::PathKind::relation || type.kind == pg::PathKind::slru)
            TRY(import_pages(log, type.id, path));
    }
    if (failure) return errno_error(failure.value(), fmt::format("walk {}", cluster.pgdata));
    return {};
}

// The cluster's WAL, in the shape of an incarnation's directory.
Result<wal::WalEnd> import_wal(const store::Store& store, const Cluster& cluster,
                               store::LogId log) {
    const auto& control = cluster.control;
    auto source = cluster.pgdata + "/imported";
    TRY(make_directories(source));
    if (::symlink("../pg_wal", (source + "/" + store::kWalDirectory).c_str()) != 0)
        return errno_error(errno, fmt::format("link {}", source));
    auto files = TRY(wal::WalFiles::list(store.disk(), source));
    auto end = TRY(wal::find_end(files, {.from = control.checkpoint_copy.redo,
                                         .tli = control.checkpoint_copy.tli,
                                         .major = control.major,
                                         .system_identifier = control.system_identifier}));
    if (end.records != 1)
        return error(Code::data_loss, "WAL of {} goes on after its shutdown checkpoint",
                     cluster.pgdata);
    TRY(wal::carry(store.disk(), files, incarnation_path(store, log) + "/" + store::kWalDirectory,
                   {.from = control.checkpoint_copy.redo,
                    .tli = control.checkpoint_copy.tli,
                    .end = end.end}));
    return end;
}

}  // namespace

Result<store::RestorePoint> import_cluster(store::Store& store, const std::string& pgdata,
                                           uint64_t lineage) {
    auto cluster = TRY(look_at(pgdata));
    TRY(store.create_lineage(
        {.lineage = lineage,
         .parent = {},
         .attachments = {
             {lineage_key::system_identifier, std::to_string(cluster.control.system_identifier)},
             {lineage_key::pg_major, std::to_string(cluster.control.major)}}}));
    auto log_id = TRY(store.begin_incarnation(lineage));
    auto end = TRY(import_wal(store, cluster, log_id));
    TRY(store.create_map(log_id, nullptr));
    store::RestorePoint point;
    {
        auto mapped = TRY(store::MappedMap::open(store.root(), log_id));
        store::PageLog log(store.disk(), mapped.map());
        auto imported = import_files(log, cluster);
        int sealed = imported ? log.seal(cluster.image.data(), cluster.image.size(),
                                         cluster.control.checkpoint.value)
                              : 0;
        log.close_descriptors();
        TRY(std::move(imported));
        if (sealed < 0) return errno_error(-sealed, fmt::format("seal the import of {}", pgdata));
        store::ControlBuffer control;
        log.map().read_control(&control);
        TRY(store.finish_incarnation({.log = log_id, .base = {}, .attachments = {}}));
        point = TRY(store.index_seal(log_id, nullptr, nullptr, control.seal_slot));
        point.attachments = TRY(small_files(pgdata, true));
        store::add_live_files(point, log.map());
    }
    point.attachments[restore_point_key::control] =
        std::string(reinterpret_cast<const char*>(cluster.image.data()), cluster.image.size());
    point.attachments[restore_point_key::consistent_lsn] = end.end.text();
    point.attachments[restore_point_key::tli] = std::to_string(end.tli);
    point.attachments[restore_point_key::taken] = rfc3339(sys::real_clock().now());
    TRY(store::save(store.disk(), store.root().c_str(), point));
    TRY(store.fence(log_id));
    store.disk().unlink(store::map_path(store.root().c_str(), log_id));
    return point;
}

}  // namespace tarn::compute
