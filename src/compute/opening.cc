#include "compute/opening.h"

#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "compute/layout.h"
#include "compute/lost_records.h"
#include "compute/note_file.h"
#include "store/paths.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "wal/wal_carry.h"
#include "wal/wal_end.h"
#include "wal/wal_files.h"

namespace tarn::compute {

std::string incarnation_path(const store::Store& store, store::LogId log) {
    return store::incarnation_directory(store.root().c_str(), log).text;
}

std::string clean_marker_path(const store::Store& store, store::LogId log) {
    return incarnation_path(store, log) + "/clean";
}

namespace {

constexpr NoteKind kDurableNote = {"tarn wal_durable 1", 1, "how far the WAL was durable"};

std::string boot_id() {
    auto text = sys::read_file(sys::real_disk(), "/proc/sys/kernel/random/boot_id");
    return text ? text->substr(0, text->find('\n')) : "";
}

}  // namespace

std::optional<CleanMarker> read_clean_marker(const store::Store& store, store::LogId log) {
    auto text = sys::read_file(sys::real_disk(), clean_marker_path(store, log));
    if (!text) return std::nullopt;
    if (*text == "prepared\n") return CleanMarker{};
    unsigned number = 0;
    char boot[64] = {};
    char end = 0;
    if (std::sscanf(text->c_str(), "stopped %u %63s%c", &number, boot, &end) != 3 || end != '\n' ||
        boot_id().empty() || boot_id() != boot)
        return std::nullopt;
    return CleanMarker{CleanMarker::Kind::stopped, number};
}

Result<void> write_clean_marker(const store::Store& store, store::LogId log,
                                const CleanMarker& marker) {
    if (marker.kind == CleanMarker::Kind::prepared)
        return sys::write_scratch(sys::real_disk(), clean_marker_path(store, log), "prepared\n");
    return sys::write_scratch(sys::real_disk(), clean_marker_path(store, log),
                              fmt::format("stopped {} {}\n", marker.restore_point, boot_id()));
}

Result<void> remove_clean_marker(const store::Store& store, store::LogId log) {
    auto marker = read_clean_marker(store, log);
    auto path = clean_marker_path(store, log);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
        return errno_error(errno, fmt::format("remove {}", path));
    if (!marker || marker->kind == CleanMarker::Kind::stopped) return {};
    int result = store.disk().sync_directory(incarnation_path(store, log).c_str(),
                                             sys::SyncSite::lineage_directory);
    if (result < 0)
        return errno_error(-result, fmt::format("make the removal of {} durable", path));
    return {};
}

std::string durable_note_path(const store::Store& store, store::LogId log) {
    return incarnation_path(store, log) + "/wal_durable";
}

std::string durable_note(Lsn end) {
    return fmt::format("{}\n{}\n", kDurableNote.magic, end.text());
}

namespace {

// Of WAL that came from elsewhere.
Result<Lsn> noted_durable(const store::Store& store, store::LogId log) {
    std::string path = durable_note_path(store, log);
    auto note = TRY(read_note(store.disk(), path, kDurableNote));
    if (!note) return Lsn{};
    auto end = Lsn::parse(note->front());
    if (!end) return unreadable_note(path, kDurableNote);
    return *end;
}

}  // namespace

Result<Lsn> known_durable(const store::Store& store, store::LogId log) {
    auto mapped = store::MappedMap::open(store.root(), log);
    bool gone = !mapped && (mapped.error().code() == Code::not_found ||
                            mapped.error().code() == Code::data_loss);
    if (gone) return noted_durable(store, log);
    auto held = TRY(std::move(mapped));
    auto map = held.map();
    if (map.header().lineage != log.lineage || map.header().incarnation != log.incarnation)
        return Lsn{};
    return Lsn{map.header().flushed_position.load()};
}

namespace {

struct Context {
    store::Store& store;
    const SuperviseSpec& spec;
    uint64_t system_identifier = 0;
    std::string who() const {
        return fmt::format("endpoint {} on lineage {}", spec.endpoint_uid,
                           lineage_text(spec.lineage));
    }
};

// Goes on with an incarnation that was stopped cleanly; nothing if its map or restore point is
// gone.
std::optional<Opening> resume(const Context& context, store::LogId log, const CleanMarker& marker) {
    auto point = context.store.newest_restore_point(log);
    auto mapped = store::MappedMap::open(context.store.root(), log);
    if (!point || !point->has_value() || (*point)->id.number != marker.restore_point || !mapped)
        return std::nullopt;
    auto map = mapped->map();
    auto& header = map.header();
    if (header.state.load() != store::LogState::live ||
        header.caller_version != static_cast<uint32_t>(context.spec.pg_major))
        return std::nullopt;
    auto control = control_of(**point);
    if (!control || control->file.state != pg::ClusterState::shut_down) return std::nullopt;
    Opening opening;
    opening.log = log;
    opening.point = std::move(**point);
    opening.own_point = true;
    opening.continues = true;
    opening.end = Lsn{header.flushed_position.load()};
    opening.tli = header.flushed_epoch.load();
    opening.prepared_transactions = control->file.max_prepared_transactions;
    return opening;
}

// Reads the WAL of an incarnation from the restore point's redo on (O2).
Result<wal::WalEnd> check_wal(const Context& context, const wal::WalFiles& files,
                              const store::RestorePoint& point, const pg::ControlFile& control,
                              Lsn limit) {
    auto consistent = TRY(lsn_attachment(point.attachments, restore_point_key::consistent_lsn));
    auto end = TRY_CTX(wal::find_end(files, {.from = control.checkpoint_copy.redo,
                                             .tli = control.checkpoint_copy.tli,
                                             .limit = limit,
                                             .major = control.major,
                                             .system_identifier = context.system_identifier}),
                       "read the WAL of {}", context.who());
    if (end.end < consistent)
        return error(Code::data_loss,
                     "WAL of {} ends at {} ({}), before {}, where restore point {} is consistent",
                     context.who(), end.end.text(), end.stopped_by, consistent.text(),
                     text_of(point.id))
            .with_hint("nothing was opened or changed; the WAL segments must be brought back");
    return end;
}

// Starts an incarnation that a branch or project was made with.
Result<Opening> start_prepared(const Context& context, store::LogId log) {
    auto record = TRY(context.store.incarnation(log));
    Opening opening;
    opening.log = log;
    opening.point = TRY(context.store.restore_point(record.base));
    auto control = TRY(control_of(opening.point));
    auto files =
        TRY(wal::WalFiles::list(context.store.disk(), incarnation_path(context.store, log)));
    auto planned = TRY(lsn_attachment(record.attachments, incarnation_key::wal_end));
    auto end = TRY(check_wal(context, files, opening.point, control.file, planned));
    if (end.end != planned)
        return error(Code::data_loss, "WAL of {} ends at {} ({}) instead of {} as planned",
                     context.who(), end.end.text(), end.stopped_by, planned.text());
    auto recovery = record.attachments.find(incarnation_key::recovery);
    bool as_it_is = recovery != record.attachments.end() && recovery->second == "none";
    opening.recovers = !as_it_is;
    if (as_it_is && (end.records != 1 || control.file.state != pg::ClusterState::shut_down))
        return error(Code::data_loss, "{} is no cleanly shut down copy", context.who());
    opening.end = end.end;
    opening.tli = end.tli;
    opening.prepared_transactions =
        std::max(control.file.max_prepared_transactions, end.max_prepared_transactions);
    return opening;
}

// Opens a new incarnation after one that ended any other way.
Result<Opening> start_anew(const Context& context, store::LogId old) {
    auto& store = context.store;
    Opening opening;
    opening.point = TRY(store.newest_restore_point(context.spec.lineage));
    auto control = TRY(control_of(opening.point));
    auto durable = TRY(known_durable(store, old));
    TRY(store.fence(old));
    auto files = TRY(wal::WalFiles::list(store.disk(), incarnation_path(store, old)));
    auto end = TRY(check_wal(context, files, opening.point, control.file, Lsn{~uint64_t{0}}));
    Time begun = sys::real_clock().now();
    if (end.end < durable)
        return error(Code::data_loss, "WAL of {} ends at {} ({}), but it was durable up to {}",
                     context.who(), end.end.text(), end.stopped_by, durable.text())
            .with_hint("nothing was opened; committed transactions would be missing");
    bool untouched = end.records == 1 && control.file.state == pg::ClusterState::shut_down &&
                     opening.point.id.log.lineage == context.spec.lineage;  // O3
    opening.recovers = !untouched;
    opening.end = end.end;
    opening.tli = end.tli;
    opening.prepared_transactions =
        std::max(control.file.max_prepared_transactions, end.max_prepared_transactions);
    opening.log = TRY(store.begin_incarnation(context.spec.lineage));
    auto directory = incarnation_path(store, opening.log);
    auto consistent =
        TRY(lsn_attachment(opening.point.attachments, restore_point_key::consistent_lsn));
    TRY(wal::carry(store.disk(), files, directory + "/" + store::kWalDirectory,
                   {.from = control.file.checkpoint_copy.redo,
                    .tli = control.file.checkpoint_copy.tli,
                    .end = end.end,
                    .cut = untouched,
                    .link_below = std::max(consistent, durable)}));
    TRY(store.finish_incarnation({.log = opening.log,
                                  .base = opening.point.id,
                                  .attachments = {{incarnation_key::wal_end, end.end.text()},
                                                  {incarnation_key::begun, rfc3339(begun)}}}));
    log::info("compute: lineage {}: incarnation {} follows {}, from restore point {}, WAL to {}",
              lineage_text(context.spec.lineage), opening.log.incarnation, old.incarnation,
              text_of(opening.point.id), end.end.text());
    return opening;
}

Result<void> make_archive_directory(const store::Store& store, store::LogId log) {
    auto path = incarnation_path(store, log) + "/" + store::kWalArchiveDirectory;
    int result = store.disk().make_directory(path.c_str(), 0700);
    if (result < 0 && result != -EEXIST) return errno_error(-result, fmt::format("make {}", path));
    return {};
}

}  // namespace

Result<Opening> open_lineage(store::Store& store, const SuperviseSpec& spec) {
    Context context{store, spec};
    auto lineage = TRY(store.lineage(spec.lineage));
    context.system_identifier =
        TRY(number_attachment(lineage.attachments, lineage_key::system_identifier));
    auto incarnations = TRY(store.incarnations(spec.lineage));
    if (incarnations.empty())
        return error(Code::not_found, "lineage {} has no incarnation", lineage_text(spec.lineage));
    TRY_CTX(check_newest_is_known(store, spec.lineage, incarnations), "open {}", context.who());
    store::LogId newest{spec.lineage, incarnations.back()};
    auto marker = read_clean_marker(store, newest);
    if (marker && marker->kind == CleanMarker::Kind::stopped) {
        auto resumed = resume(context, newest, *marker);
        if (resumed) return std::move(*resumed);
    }
    bool prepared = marker && marker->kind == CleanMarker::Kind::prepared;
    auto opening =
        prepared ? TRY(start_prepared(context, newest)) : TRY(start_anew(context, newest));
    if (prepared) TRY(remove_clean_marker(store, newest));
    TRY(make_archive_directory(store, opening.log));
    // The map of a life that never began, or of one that is over.
    store.disk().unlink(store::map_path(store.root().c_str(), opening.log));
    if (!prepared) store.disk().unlink(store::map_path(store.root().c_str(), newest));
    TRY(store.create_map(opening.log, &opening.point));
    return opening;
}

namespace {

template <size_t N>
Result<void> set_path(char (&field)[N], const std::string& path) {
    if (path.size() >= N)
        return error(Code::invalid_argument, "path {} is longer than {} bytes", path, N - 1);
    std::memcpy(field, path.c_str(), path.size() + 1);
    return {};
}

// The shim compares with /proc/self/exe, which knows no symbolic links.
Result<std::string> real_path(const std::string& path) {
    char* resolved = ::realpath(path.c_str(), nullptr);
    if (!resolved) return errno_error(errno, fmt::format("resolve {}", path));
    std::string text = resolved;
    ::free(resolved);
    return text;
}

// The control file that PostgreSQL is to see first.
Result<pg::ControlImage> first_control(const store::Store& store, const Opening& opening,
                                       const SuperviseSpec& spec) {
    auto control = TRY(control_of(opening.point));
    auto lineage = TRY(store.lineage(spec.lineage));
    auto identifier = TRY(number_attachment(lineage.attachments, lineage_key::system_identifier));
    auto image = TRY(pg::with_system_identifier(control.image, identifier));
    if (!opening.recovers) return image;
    auto consistent =
        TRY(lsn_attachment(opening.point.attachments, restore_point_key::consistent_lsn));
    auto tli = TRY(number_attachment(opening.point.attachments, restore_point_key::tli));
    return pg::as_archive_recovery(image, consistent, static_cast<uint32_t>(tli));
}

}  // namespace

Result<void> fill_map(const store::Store& store, const Opening& opening,
                      const SuperviseSpec& spec) {
    auto mapped = TRY(store::MappedMap::open(store.root(), opening.log));
    auto map = mapped.map();
    auto& header = map.header();
    TRY(set_path(header.store_root, store.root()));
    auto pgdata = TRY(real_path(spec.pgdata()));
    TRY(set_path(header.data_directory, pgdata));
    auto postgres = TRY(real_path(spec.bin_directory + "/postgres"));
    TRY(set_path(header.caller, postgres));
    header.caller_version = static_cast<uint32_t>(spec.pg_major);
    header.caller_state.store(0);
    // The tracker's walk begins anew at the flushed position, the supply of WAL with none: what is
    // there may be an older program's.
    std::memset(header.caller_area, 0, sizeof header.caller_area);
    if (opening.continues) return {};
    auto image = TRY(first_control(store, opening, spec));
    auto control = TRY(pg::decode_control_file(image));
    map.write_control(image.data(), image.size(), false, 0);
    header.last_checkpoint = control.checkpoint.value;
    header.flushed_position.store(opening.end.value);
    header.flushed_epoch.store(opening.tli);
    return {};
}

}  // namespace tarn::compute
