#include "inspect/views.h"

#include "base/number.h"
#include "pg/relation_path.h"

namespace tarn::inspect {

namespace {

// Stands for the directory inside a tablespace, whose name depends on the major version.
constexpr std::string_view kVersionDirectory = "PG";

}  // namespace

Result<FileId> parse_relation(const std::string& text) {
    std::string path = text;
    size_t first = text.find('/');
    auto tablespace = parse_number<uint32_t>(std::string_view(text).substr(0, first));
    if (tablespace && first != text.npos) {
        std::string rest = text.substr(first + 1);
        if (*tablespace == pg::kGlobalTablespace)
            path = "global/" + rest.substr(rest.find('/') + 1);
        else if (*tablespace == pg::kDefaultTablespace)
            path = "base/" + rest;
        else
            path = fmt::format("pg_tblspc/{}/{}/{}", *tablespace, kVersionDirectory, rest);
    }
    pg::PathClass found = pg::classify_path(path, kVersionDirectory);
    if (found.kind != pg::PathKind::relation && found.kind != pg::PathKind::slru)
        return error(Code::invalid_argument, "--relation {} names no file of pages", text)
            .with_hint(
                "write tablespace/database/number as in 1663/5/16384, or what "
                "pg_relation_filepath() answers");
    return found.id;
}

std::string file_text(FileId file) {
    char path[pg::kMaxPathSize];
    size_t length = pg::format_path(file, kVersionDirectory, path, sizeof path);
    return length > 0 ? std::string(path, length)
                      : fmt::format("{{{:016x}, {:016x}}}", file.hi, file.lo);
}

std::string text_of(store::LogId log) {
    return fmt::format("{:016x}/{}", log.lineage, log.incarnation);
}

std::string text_of(store::LogState state) {
    switch (state) {
        case store::LogState::live:
            return "live";
        case store::LogState::ended:
            return "ended";
        case store::LogState::poisoned:
            return "poisoned";
    }
    return fmt::format("{}, which is none", static_cast<uint32_t>(state));
}

Result<Document> view(const Target& target, const Narrow& narrow) {
    switch (target.kind) {
        case Kind::slots:
            return slots_view(target, narrow);
        case Kind::pages:
            return pages_view(target, narrow);
        case Kind::packed:
            return packed_view(target, narrow);
        case Kind::index:
            return index_view(target, narrow);
        case Kind::restore_point:
            return restore_point_view(target, narrow);
        case Kind::lineage:
            return lineage_view(target);
        case Kind::incarnation:
            return incarnation_view(target);
        case Kind::map:
            return map_view(target, narrow);
        case Kind::control:
            return control_view(target);
        case Kind::wal:
            return wal_view(target, narrow);
        case Kind::compressed_wal:
            return compressed_wal_view(target, narrow);
        case Kind::history:
        case Kind::kept_from:
        case Kind::set_aside:
        case Kind::clean:
        case Kind::wal_durable:
            return text_view(target);
        case Kind::object:
            return object_view(target, narrow);
        case Kind::record:
            return record_view(target);
    }
    return error(Code::internal, "no view of {}", target.path);
}

}  // namespace tarn::inspect
