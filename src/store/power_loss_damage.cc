// power_loss_damage.cc: stored bits flip at the end of a run. Damage may be reported, or may not
// matter; it is never served.

#include <fcntl.h>

#include <cerrno>

#include "store/packed_files.h"
#include "store/paths.h"
#include "store/power_loss_simulation.h"
#include "store/verify.h"
#include "sys/files.h"

namespace tarn::store::power_loss {

namespace {

constexpr const char* kRoot = "/store";

// Every file below `path` but maps, which are made anew whenever they are used.
void walk(sys::Disk& disk, const std::string& path, std::vector<std::string>& files) {
    auto names = sys::list_names(disk, path);
    if (!names.ok()) return files.push_back(path);
    for (const std::string& name : *names)
        if (name != "map") walk(disk, path + "/" + name, files);
}

}  // namespace

// A bit of any file, or, half the time, of a page that the restore point rests on.
std::optional<Simulation::Bit> Simulation::pick_bit(const ModelPoint& model) {
    if (random_.one_in(2) && !model.point.indexes.empty()) {
        const auto& refs = model.point.indexes;
        auto index = LoadedIndex::load(disk_, kRoot, refs[random_.below(refs.size())]);
        uint64_t entries = index.ok() ? index->reader().header()->entry_count : 0;
        if (entries == 0) return std::nullopt;
        const IndexFile* files = index->reader().files();
        IndexEntry entry = index->reader().entries(files)[random_.below(entries)];
        Location location{entry.location};
        LogId log = index->reader().sources()[location.source() - 1];
        PagePlace place = place_of(disk_, kRoot, log, location.slot());
        return Bit{place.path, (place.offset + random_.below(place.bytes)) * 8 + random_.below(8)};
    }
    std::vector<std::string> paths;
    walk(disk_, kRoot, paths);
    const std::string& path = paths[random_.below(paths.size())];
    auto size = value(value(sys::File::open(disk_, path, O_RDONLY), "open").size(), "size");
    if (size == 0) return std::nullopt;
    // Logs are mostly reserved space: the bits that count lie at the front.
    return Bit{path, random_.below(std::min<uint64_t>(size, 400000) * 8)};
}

void Simulation::corrupt_and_read() {
    std::vector<ModelPoint*> points;
    for (auto& [id, lineage] : lineages_)
        for (auto& [number, incarnation] : lineage.incarnations)
            for (auto& [restore_point, model] : incarnation.points)
                if (model.saved) points.push_back(&model);
    for (int flips = 0; flips < 6 && !points.empty(); ++flips) {
        const ModelPoint& chosen = *points[random_.below(points.size())];
        auto bit = pick_bit(chosen);
        if (!bit || disk_.flip_bit(bit->path, bit->number) != 0) continue;
        for (ModelPoint* model : points) {
            auto point = load_restore_point(disk_, kRoot, model->point.id);
            auto wrong = [&](const FileRecord& file, uint32_t block, const void* page) {
                Stamp stamp = 0;
                bool whole = !page || read_stamp(page, &stamp);
                if (!whole || !model->allowed({file.id, file.birth}, block).contains(stamp))
                    throw Broken{fmt::format("bit {} of {} flipped, and was served", bit->number,
                                             bit->path)};
            };
            if (!point.ok() || !verify(disk_, kRoot, *point, wrong).ok()) ++damage_found_;
        }
        read_damaged(chosen);
        disk_.flip_bit(bit->path, bit->number);
    }
}

// Reads a restore point as a compute that starts from it would.
void Simulation::read_damaged(const ModelPoint& model) {
    auto log = store_->begin_incarnation(model.point.id.log.lineage);
    if (!log.ok() || !store_->create_map(*log, &model.point).ok()) return;
    auto live = attach(*log);
    for (const FileRecord& record : model.point.files)
        for (uint32_t block = 0; block < record.length; ++block) {
            alignas(8) char page[kBlockBytes];
            void* pages[] = {page};
            int result = live->hands[0]->read(live->map().find(record.id), block, pages, 1);
            Stamp stamp;
            bool right = result == 0 && read_stamp(page, &stamp) &&
                         model.allowed({record.id, record.birth}, block).contains(stamp);
            if (!right && result != -EIO)
                throw Broken{fmt::format("a damaged store served block {} of file {}.{}", block,
                                         record.id.lo, record.birth)};
            if (result == -EIO) ++errors_served_;
        }
}

}  // namespace tarn::store::power_loss
