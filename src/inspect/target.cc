#include "inspect/target.h"

#include <fcntl.h>

#include <cstring>
#include <filesystem>

#include "base/number.h"
#include "pg/control_image.h"
#include "pg/wal_format.h"
#include "pg/wal_name.h"
#include "sys/files.h"
#include "sys/paths.h"
#include "wal/segment_id.h"

namespace tarn::inspect {

namespace {

constexpr size_t kHeadBytes = 512;

// In the same order as Kind.
const std::vector<KindInfo> kKinds{
    {Kind::slots, "slots", "log.md"},
    {Kind::pages, "pages", "log.md"},
    {Kind::packed, "packed pages", "packed.md"},
    {Kind::index, "index", "index.md"},
    {Kind::restore_point, "restore point", "restore-point.md"},
    {Kind::lineage, "lineage", "lineage.md"},
    {Kind::incarnation, "incarnation", "lineage.md"},
    {Kind::map, "page map", "page-map.md"},
    {Kind::control, "control file", "attachments.md"},
    {Kind::wal, "WAL segment", "lineage.md"},
    {Kind::compressed_wal, "compressed WAL segment", "compressed-wal.md"},
    {Kind::history, "timeline history", "lineage.md"},
    {Kind::kept_from, "kept_from", "lineage.md"},
    {Kind::set_aside, "set_aside", "lineage.md"},
    {Kind::clean, "clean", "lineage.md"},
    {Kind::wal_durable, "wal_durable", "lineage.md"},
    {Kind::object, "object", "object.md"},
    {Kind::record, "metadata record", "metadata-record.md"},
};

struct Beginning {
    std::string_view bytes;
    Kind kind;
};
constexpr std::string_view zero_terminated(const char (&text)[8]) {
    return {text, sizeof text};
}
constexpr Beginning kBeginnings[] = {
    {zero_terminated("TARNPCK"), Kind::packed},
    {zero_terminated("TARNIDX"), Kind::index},
    {zero_terminated("TARNRPT"), Kind::restore_point},
    {zero_terminated("TARNLIN"), Kind::lineage},
    {zero_terminated("TARNINC"), Kind::incarnation},
    {zero_terminated("TARNMAP"), Kind::map},
    {zero_terminated("TARNOBJ"), Kind::object},
    {"tarn kept_from ", Kind::kept_from},
    {"tarn set_aside ", Kind::set_aside},
    {"tarn wal_durable ", Kind::wal_durable},
    {"tarn record ", Kind::record},
    {zero_terminated("TARNWAL"), Kind::compressed_wal},
};

std::optional<Kind> kind_by_bytes(std::string_view head, uint64_t bytes) {
    for (const Beginning& each : kBeginnings)
        if (head.starts_with(each.bytes)) return each.kind;
    pg::WalSegmentHeader wal;
    if (pg::read_segment_header(head.data(), head.size(), &wal)) return Kind::wal;
    uint32_t version = 0;
    if (bytes == pg::kControlFileSize && head.size() >= kHeadBytes) {
        std::memcpy(&version, head.data() + pg::control_offset::version, sizeof version);
        if (pg::control_major(version) != 0) return Kind::control;
    }
    return std::nullopt;
}

// What somebody damaged is still known by its name.
std::optional<Kind> kind_by_name(std::string_view name) {
    struct Named {
        std::string_view end;
        Kind kind;
    };
    constexpr Named kEnds[] = {
        {".slots", Kind::slots},           {".pages", Kind::pages},
        {".packed", Kind::packed},         {".index", Kind::index},
        {".restore", Kind::restore_point}, {".record", Kind::record},
        {".history", Kind::history},       {wal::kCompressedSuffix, Kind::compressed_wal}};
    constexpr Named kNames[] = {{"lineage", Kind::lineage},
                                {"incarnation", Kind::incarnation},
                                {"map", Kind::map},
                                {"pg_control", Kind::control},
                                {"kept_from", Kind::kept_from},
                                {"set_aside", Kind::set_aside},
                                {"clean", Kind::clean},
                                {"wal_durable", Kind::wal_durable}};
    for (const Named& each : kEnds)
        if (name.ends_with(each.end)) return each.kind;
    for (const Named& each : kNames)
        if (name == each.end) return each.kind;
    if (pg::is_wal_name(name)) return Kind::wal;
    return std::nullopt;
}

std::optional<uint64_t> number_of(std::string_view text, int base, size_t digits) {
    if (text.size() != digits) return std::nullopt;
    return parse_number<uint64_t>(text, base);
}

// <root>/lineages/<lineage>[/<incarnation>[/wal]]/<name>
void place_in_store(Target& target) {
    std::filesystem::path path = target.path;
    std::string name = path.filename();
    target.number = number_of(std::string_view(name).substr(0, name.find('.')), 10, 8);
    std::filesystem::path directory = path.parent_path();
    for (int up = 0; up < 3; ++up, directory = directory.parent_path()) {
        auto lineage = number_of(directory.filename().string(), 16, 16);
        if (!lineage || directory.parent_path().filename() != "lineages") continue;
        auto below = path.lexically_relative(directory);
        auto incarnation = number_of(below.begin()->string(), 10, 8);
        target.log = {*lineage, static_cast<uint32_t>(incarnation.value_or(0))};
        target.root = directory.parent_path().parent_path();
        return;
    }
}

}  // namespace

const std::vector<KindInfo>& kinds() {
    return kKinds;
}

std::string_view name_of(Kind kind) {
    return kKinds[static_cast<size_t>(kind)].name;
}

Result<Target> recognise(const std::string& path) {
    Target target;
    target.path = TRY(sys::absolute_path(path));
    auto file = TRY(sys::File::open(sys::real_disk(), target.path, O_RDONLY));
    std::string head(kHeadBytes, '\0');
    head.resize(TRY(file.read_some(head.data(), head.size(), 0)));
    place_in_store(target);
    // A log's files have no magic, so the name comes first there.
    auto by_name = kind_by_name(std::filesystem::path(target.path).filename().string());
    bool is_log = by_name == Kind::slots || by_name == Kind::pages || by_name == Kind::clean;
    auto kind = is_log ? by_name : kind_by_bytes(head, TRY(file.size()));
    if (!kind) kind = by_name;
    if (!kind)
        return error(Code::invalid_argument, "{} is no file of a format that is known here", path)
            .with_hint("`tarn inspect --formats` lists them");
    target.kind = *kind;
    return target;
}

}  // namespace tarn::inspect
