#include "store/power_loss_simulation.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"
#include "store/paths.h"
#include "store/slot_scan.h"
#include "store/verify.h"
#include "sys/files.h"

namespace tarn::store::power_loss {

namespace {

constexpr const char* kRoot = "/store";
constexpr uint64_t kEpochs = 3;
constexpr uint64_t kSteps = 90;  // of an epoch at most

std::string name_of(const RestorePointId& id) {
    return fmt::format("{}/{}/{}", id.log.lineage, id.log.incarnation, id.number);
}

}  // namespace

Simulation::Simulation(uint64_t seed, Options options)
    : seed_(seed), options_(options), random_(seed), disk_(seed + 1) {
    if (options_.disabled) disk_.disable(*options_.disabled);
    if (random_.one_in(4)) disk_.shorten_one_in(20);
    new_boundary_ = random_.one_in(4);
    disk_.before_each_change([this] {
        // Between the steps of a copy, enough for a write, a seal and an index of it.
        bool copying = is_copying();
        if (!stepping_ || nested_ || disk_.power_is_off() || !random_.one_in(copying ? 4 : 14))
            return;
        nested_ = true;
        struct Leave {
            bool& nested;
            ~Leave() { nested = false; }
        } leave{nested_};
        for (uint64_t i = copying ? 1 + random_.below(10) : 1; i > 0; --i) nested_step();
    });
}

Simulation::~Simulation() = default;

bool Simulation::is_copying() const {
    return std::any_of(lineages_.begin(), lineages_.end(), [](const auto& each) {
        return each.second.live && each.second.live->copying;
    });
}

Simulation::Live::~Live() {
    if (memory) ::munmap(memory, kMapBytes);
}

std::string Simulation::run() {
    try {
        store_ = value(Store::open(disk_, kRoot), "open the store");
        for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) run_epoch();
        if (options_.corrupt) corrupt_and_read();
        return "";
    } catch (const Broken& broken) {
        return broken.what;
    }
}

void Simulation::run_epoch() {
    if (options_.failing) {
        syncs_when_armed_ = disk_.syncs(*options_.failing);
        fails_at_ = 1 + random_.below(8);
        disk_.fail_sync(*options_.failing, fails_at_);
    }
    if (!random_.one_in(8)) disk_.cut_power_after(20 + random_.below(400));
    try {
        stepping_ = true;
        for (uint64_t i = random_.below(kSteps) + kSteps / 2; i > 0; --i) {
            struck_before_step_ = fault_has_struck();
            step();
            settle_doubtful();
        }
    } catch (const PowerOff&) {
    }
    stepping_ = false;
    busy_.clear();
    give_backs_.clear();
    disk_.power_loss(random_.number());
    disk_.limit_space(-1);
    space_limited_ = false;
    if (options_.failing) disk_.fail_sync(*options_.failing, 0);
    ++power_losses_;
    recover();
}

bool Simulation::fault_has_struck() const {
    return options_.failing && disk_.syncs(*options_.failing) >= syncs_when_armed_ + fails_at_;
}

// A failure is only right if the power is off or it was asked for.
void Simulation::excuse(const std::string& problem) {
    if (disk_.power_is_off()) throw PowerOff{};
    if (!fault_has_struck()) throw Broken{problem};
    // Sometimes the machine goes down with the failure, sometimes it goes on.
    if (stepping_ && random_.one_in(2)) throw PowerOff{};
}

void Simulation::must(const Result<void>& result, const std::string& doing) {
    if (result.ok()) return;
    if (result.error().code() == Code::no_space && space_limited_) return;
    excuse(fmt::format("{}: {}", doing, result.error().text()));
}

void Simulation::failed(int result, Live& live, const std::string& doing) {
    if (result == -ENOSPC && space_limited_) return;
    share_state(live);
    LogState state = live.map().header().state.load();
    if (state == LogState::poisoned && !disk_.power_is_off()) {
        // Nothing after the last durable seal counts any more, and nobody may think otherwise.
        FileEntry any{};
        std::string page(kBlockBytes, 'p');
        const void* pages[] = {page.data()};
        if (live.hands[0]->write(&any, 0, pages, 1) != -EIO || live.hands[1]->sync_all() != -EIO ||
            live.hands[1]->seal("", 0, 0) != -EIO)
            throw Broken{"a poisoned log goes on"};
        live.sealed.reset();
    }
    excuse(fmt::format("{}: error {}", doing, -result));
}

ModelPoint* Simulation::find(const RestorePointId& id) {
    auto lineage = lineages_.find(id.log.lineage);
    if (lineage == lineages_.end()) return nullptr;
    auto incarnation = lineage->second.incarnations.find(id.log.incarnation);
    if (incarnation == lineage->second.incarnations.end()) return nullptr;
    auto point = incarnation->second.points.find(id.number);
    return point == incarnation->second.points.end() ? nullptr : &point->second;
}

void Simulation::start_incarnation(uint64_t id, const ModelPoint* base) {
    auto log = store_->begin_incarnation(id);
    if (!log.ok()) return must(std::move(log).error(), "begin an incarnation");
    Incarnation& incarnation = lineages_[id].incarnations[log->incarnation];
    if (base) incarnation.base = base->point.id;
    if (auto made = store_->create_map(*log, base ? &base->point : nullptr); !made.ok())
        return must(made, "make a map");
    auto finished = store_->finish_incarnation({*log, incarnation.base, {}});
    if (!finished.ok()) return must(finished, "finish an incarnation");
    incarnation.finished = true;
    open_live(id, *log, base);
}

// Maps an incarnation's map file, as far as it is backed, and gives it two processes.
std::unique_ptr<Simulation::Live> Simulation::attach(LogId log) {
    auto live = std::make_unique<Live>();
    live->log = log;
    live->memory = ::mmap(nullptr, kMapBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (live->memory == MAP_FAILED) throw Broken{"no memory for a map"};
    auto file = value(sys::File::open(disk_, map_path(kRoot, log).text, O_RDONLY), "open map");
    auto* header = static_cast<MapHeader*>(live->memory);
    auto get = [&](uint64_t offset, uint64_t bytes) {
        auto done = file.read(static_cast<char*>(live->memory) + offset, bytes, offset);
        if (!done.ok()) value<int>(std::move(done).error(), "read map");
    };
    get(0, PageMap::header_bytes());
    get(PageMap::header_bytes(), header->arena_allocated.load() - PageMap::header_bytes());
    PageMap map(live->memory, {[](void*, uint64_t, uint64_t) { return 0; }, nullptr});
    for (auto& hand : live->hands) hand = std::make_unique<PageLog>(disk_, map);
    return live;
}

void Simulation::open_live(uint64_t id, LogId log, const ModelPoint* base) {
    auto live = attach(log);
    if (base) {
        live->base = base->point;
        ModelPoint* model = find(base->point.id);
        if (!model) throw Broken{"the base is gone"};
        read_base(*live, *model);
    } else if (new_boundary_) {
        // As if the log had been written almost to the end of its first segment.
        MapHeader* header = &live->map().header();
        uint64_t slot = kSlotsPerSegment - 1 - random_.below(40);
        for (bool slots : {false, true})
            value(sys::File::open(disk_, segment_path(kRoot, log, 0, slots).text, O_RDWR | O_CREAT),
                  "make the first segment");
        header->next_slot.store(slot);
        header->allocated_slots.store(slot);
        RestorePoint previous;
        previous.id = {log, 0};
        previous.seal_slot = slot;
        live->previous = std::move(previous);
    }
    lineages_[id].live = std::move(live);
}

// A start reads every block of its base: right, and from then on always the same.
void Simulation::read_base(Live& live, ModelPoint& base) {
    for (const FileRecord& record : base.point.files) {
        FileEntry* file = live.map().find(record.id);
        if (!file || file->length.load() != record.length || file->birth.load() != record.birth)
            throw Broken{"a map lacks a file of its base " + name_of(base.point.id)};
        FileBirth birth{record.id, record.birth};
        alignas(8) char page[kBlockBytes];
        void* pages[] = {page};
        for (uint32_t block = 0; block < record.length; ++block) {
            Stamp stamp;
            int result = live.hands[0]->read(file, block, pages, 1);
            if (result < 0 && disk_.power_is_off()) throw PowerOff{};
            std::set<Stamp> allowed = base.allowed(birth, block);
            if (result < 0 || !read_stamp(page, &stamp) || !allowed.contains(stamp))
                throw Broken{
                    fmt::format("block {} of file {}.{} of base {}: result {}, {}, not "
                                "one of {}",
                                block, record.id.lo, record.birth, name_of(base.point.id), result,
                                load<Stamp>(page), describe(allowed))};
            base.settle(birth, block, stamp);
            live.history.begin(birth, block, stamp);
        }
    }
}

void Simulation::recover() {
    for (auto& [id, lineage] : lineages_) lineage.live.reset();
    store_ = value(Store::open(disk_, kRoot), "open the store again");
    must(store_->remove_unfinished([](uint64_t) { return false; }), "remove what is unfinished");
    std::set<uint64_t> found;
    for (uint64_t id : value(store_->lineages(), "list lineages")) found.insert(id);
    for (uint64_t id : found)
        if (!lineages_.contains(id)) throw Broken{fmt::format("lineage {} came back", id)};
    for (auto at = lineages_.begin(); at != lineages_.end();) {
        auto& [id, lineage] = *at;
        bool here = found.contains(id);
        if (!here && lineage.certain && !lineage.leaving)
            throw Broken{fmt::format("lineage {} is lost", id)};
        if (here && lineage.leaving) {
            must(store_->remove_lineage(id), "remove a lineage again");
            here = false;
        }
        at = here ? std::next(at) : lineages_.erase(at);
    }
    for (auto& [id, lineage] : lineages_) recover_lineage(id, lineage);
    check_promises();
    // Every lineage opens again, oldest first: children find their parents checked. Those whose
    // making was cut short before there was anything to open go.
    for (auto at = lineages_.begin(); at != lineages_.end();) {
        uint64_t id = (at++)->first;
        auto newest = store_->newest_restore_point(id);
        if (newest.ok() || newest.error().code() != Code::not_found) {
            start_incarnation_from_newest(id);
            continue;
        }
        must(store_->remove_lineage(id), "remove an unborn lineage");
        lineages_.erase(id);
    }
}

void Simulation::start_incarnation_from_newest(uint64_t id) {
    auto newest = store_->newest_restore_point(id);
    RestorePointId base = lineages_[id].parent;
    if (newest.ok())
        base = newest->id;
    else if (newest.error().code() != Code::not_found)
        return must(std::move(newest).error(), "find the newest restore point");
    if (base.number == 0) return start_incarnation(id, nullptr);
    ModelPoint* model = find(base);
    if (!model) throw Broken{"nobody made restore point " + name_of(base)};
    const ModelPoint copy = *model;
    start_incarnation(id, &copy);
}

// What an answered sync has promised: the slots, whether or not a restore point names them.
void Simulation::check_promises() {
    for (const auto& [log, slots] : promised_) {
        if (!lineages_.contains(log.lineage)) continue;
        for (const auto& [slot, crc] : slots) {
            if (slot < forgotten_[log]) continue;
            uint64_t place = slot % kSlotsPerSegment;
            SlotHeader header;
            std::string page(kBlockBytes, '\0');
            auto read = [&](bool of_slots, void* data, size_t bytes) {
                auto file = sys::File::open(
                    disk_, segment_path(kRoot, log, slot / kSlotsPerSegment, of_slots).text,
                    O_RDONLY);
                return file.ok() && file->read(data, bytes, place * bytes).ok();
            };
            if (!read(true, &header, sizeof header) || !read(false, page.data(), page.size()) ||
                slot_state(header, log, slot) != SlotState::written || header.page_crc != crc ||
                crc32c(0, page.data(), page.size()) != crc)
                throw Broken{fmt::format("synced slot {} of {}/{} is lost", slot, log.lineage,
                                         log.incarnation)};
        }
    }
    promised_.clear();
}

void Simulation::recover_lineage(uint64_t id, Lineage& lineage) {
    lineage.certain = true;
    must(store_->lineage(id).ok() ? Result<void>() : store_->lineage(id).error(), "read lineage");
    std::set<uint32_t> found;
    for (uint32_t number : value(store_->incarnations(id), "list incarnations"))
        found.insert(number);
    for (uint32_t number : found)
        if (!lineage.incarnations.contains(number))
            throw Broken{fmt::format("nobody made incarnation {}/{}", id, number)};
    for (auto at = lineage.incarnations.begin(); at != lineage.incarnations.end();) {
        auto& [number, incarnation] = *at;
        if (!found.contains(number)) {
            if (incarnation.finished)
                throw Broken{fmt::format("incarnation {}/{} is lost", id, number)};
            at = lineage.incarnations.erase(at);
            continue;
        }
        incarnation.finished = true;
        auto record = value(store_->incarnation({id, number}), "read incarnation");
        if (record.base != incarnation.base)
            throw Broken{fmt::format("incarnation {}/{} has another base", id, number)};
        check_points(id, number, incarnation);
        ++at;
    }
}

void Simulation::check_points(uint64_t id, uint32_t number, Incarnation& incarnation) {
    std::set<uint32_t> found;
    for (uint32_t each : value(store_->restore_points({id, number}), "list restore points"))
        found.insert(each);
    for (uint32_t each : found)
        if (!incarnation.points.contains(each))
            throw Broken{fmt::format("nobody made restore point {}/{}/{}", id, number, each)};
    for (auto at = incarnation.points.begin(); at != incarnation.points.end();) {
        ModelPoint& model = at->second;
        if (model.collected) {
            ++at;
            continue;
        }
        if (found.contains(at->first)) {
            check_point(model);
            model.saved = true;
            ++at;
            continue;
        }
        if (model.saved) throw Broken{"lost restore point " + name_of(model.point.id)};
        at = incarnation.points.erase(at);
    }
}

void Simulation::check_point(ModelPoint& model) {
    std::string name = name_of(model.point.id);
    auto point = value(load_restore_point(disk_, kRoot, model.point.id), "load restore point");
    if (encode(point) != encode(model.point)) throw Broken{name + " is not what was saved"};
    auto visit = [&](const FileRecord& file, uint32_t block, const void* page) {
        FileBirth birth{file.id, file.birth};
        Stamp stamp = 0;
        std::set<Stamp> allowed = model.allowed(birth, block);
        if ((page && !read_stamp(page, &stamp)) || !allowed.contains(stamp))
            throw Broken{fmt::format("block {} of file {}.{} in {} is {}, not one of {}", block,
                                     file.id.lo, file.birth, name, stamp, describe(allowed))};
        model.settle(birth, block, stamp);
    };
    value(verify(disk_, kRoot, point, visit), "verify " + name);
    ++points_verified_;
}

}  // namespace tarn::store::power_loss
