// power_loss_steps.cc: what a run does between two power losses.

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "store/log_state.h"
#include "store/page_copier.h"
#include "store/paths.h"
#include "store/power_loss_simulation.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store::power_loss {

namespace {

constexpr const char* kRoot = "/store";
constexpr uint64_t kFiles = 3;
constexpr uint32_t kBlocks = 20;      // of most files
constexpr uint32_t kFarBlocks = 100;  // beyond the first node of the map's tree
constexpr size_t kLineagesMax = 4;

// Marks a file as in some step's hand: other steps leave it alone, as PostgreSQL's locks see to.
class Hold {
  public:
    Hold(std::set<FileId>& busy, FileId file) : busy_(busy), file_(file) { busy_.insert(file); }
    ~Hold() { busy_.erase(file_); }

  private:
    std::set<FileId>& busy_;
    FileId file_;
};

class Flag {
  public:
    explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
    ~Flag() { flag_ = false; }

  private:
    bool& flag_;
};

}  // namespace

std::optional<FileId> Simulation::pick_file() {
    FileId file{1, random_.below(kFiles)};
    if (busy_.contains(file)) return std::nullopt;
    return file;
}

Simulation::Live* Simulation::pick_live() {
    std::vector<Live*> live;
    for (auto& [id, lineage] : lineages_)
        if (lineage.live && !lineage.leaving) live.push_back(lineage.live.get());
    return live.empty() ? nullptr : live[random_.below(live.size())];
}

void Simulation::step() {
    if (lineages_.empty()) return make_lineage(nullptr);
    Live* live = pick_live();
    if (!live) return restart();
    PageLog& hand = *live->hands[random_.below(2)];
    uint64_t choice = random_.below(100);
    if (choice < 40) return write(*live, hand);
    if (choice < 45) return copy(*live, hand);
    if (choice < 50) return extend(*live);
    if (choice < 57) return truncate(*live, hand);
    if (choice < 60) return unlink(*live);
    if (choice < 66) return read(*live, hand);
    if (choice < 69) return sync_file(*live, hand);
    if (choice < 79) return seal(*live, hand);
    if (choice < 90) return index_and_save(*live);
    if (choice < 94) return branch();
    if (choice < 96) return restart();
    if (choice < 98) return collect_garbage();
    if (choice < 99) return remove_leaf();
    return limit_space();
}

// What another process does while this one is in the middle of something.
void Simulation::nested_step() {
    Live* live = pick_live();
    if (!live) return;
    PageLog& hand = *live->hands[2];
    uint64_t choice = random_.below(12);
    if (choice < 5) return write(*live, hand);
    if (choice < 6) return truncate(*live, hand);
    if (choice < 8) return copy(*live, hand);
    if (choice < 10) return seal(*live, hand);
    return index_and_save(*live);
}

void Simulation::write(Live& live, PageLog& hand) {
    auto id = pick_file();
    if (!id) return;
    Hold hold(busy_, *id);
    bool created;
    int failure;
    FileEntry* file = live.map().find_or_create(*id, &created, &failure);
    if (!file) throw Broken{"the map has no room for a file"};
    FileBirth birth{*id, file->birth.load()};
    auto block = static_cast<uint32_t>(random_.below(random_.one_in(12) ? kFarBlocks : kBlocks));
    auto count = static_cast<uint32_t>(1 + random_.below(random_.one_in(30) ? 40 : 3));
    std::string bytes(count * kBlockBytes, '\0');
    std::vector<const void*> pages;
    for (uint32_t i = 0; i < count; ++i) {
        Stamp stamp = random_.one_in(8) ? 0 : ++last_stamp_;
        fill_page(bytes.data() + i * kBlockBytes, stamp);
        pages.push_back(bytes.data() + i * kBlockBytes);
        live.history.start(birth, block + i, stamp, ++now_);
    }
    int result = hand.write(file, block, pages.data(), count);
    if (result < 0) return failed(result, live, "write");
    for (uint32_t i = 0; i < count; ++i) live.history.complete(birth, block + i, ++now_);
    live.map().grow_length(file, block + count);
}

// PostgreSQL makes room without writing.
void Simulation::extend(Live& live) {
    auto id = pick_file();
    if (!id) return;
    if (FileEntry* file = live.map().find(*id))
        live.map().grow_length(file, file->length.load() + static_cast<uint32_t>(random_.below(4)));
}

void Simulation::truncate(Live& live, PageLog& hand) {
    auto id = pick_file();
    FileEntry* file = id ? live.map().find(*id) : nullptr;
    if (!file || file->length.load() == 0) return;
    Hold hold(busy_, *id);
    FileBirth birth{*id, file->birth.load()};
    auto length = static_cast<uint32_t>(random_.below(file->length.load()));
    live.history.start_cut(birth, length, ++now_);
    int result = hand.truncate(file, length);
    if (result < 0) return failed(result, live, "truncate");
    live.history.complete_cut(birth, length, ++now_);
    if (length == 0 && file->birth.load() == birth.birth)
        throw Broken{"a file that was cut to nothing keeps its birth"};
}

void Simulation::unlink(Live& live) {
    auto id = pick_file();
    if (!id) return;
    if (FileEntry* file = live.map().find(*id)) live.map().unlink(file);
}

// Takes no notice of what others have in hand, and nobody takes notice of it.
void Simulation::copy(Live& live, PageLog& hand) {
    FileEntry* file = live.map().find({1, random_.below(kFiles)});
    if (!file || live.copying) return;
    Flag copying(live.copying);
    std::vector<uint32_t> blocks;
    for (uint32_t block = 0; block < std::min(kFarBlocks, file->length.load()); ++block) {
        Version version = live.map().lookup(file, block);
        if (PageCopier::can_copy(version.location) && !random_.one_in(3)) blocks.push_back(block);
    }
    auto copied = PageCopier(hand).copy(file, blocks);
    if (!copied.ok())
        return failed(copied.error().code() == Code::no_space ? -ENOSPC : -EIO, live,
                      "copy: " + copied.error().text());
    pages_copied_ += *copied;
}

void Simulation::read(Live& live, PageLog& hand) {
    auto id = pick_file();
    if (id) read(live, hand, *id, static_cast<uint32_t>(random_.below(kBlocks)), 8);
}

void Simulation::read_all(Live& live) {
    for (const FileRecord& record : live_files(live.map()))
        read(live, *live.hands[0], record.id, 0, record.length);
}

void Simulation::read(Live& live, PageLog& hand, FileId id, uint32_t first, uint32_t count) {
    FileEntry* file = live.map().find(id);
    if (!file) return;
    FileBirth birth{id, file->birth.load()};
    std::string bytes(count * kBlockBytes, '?');
    std::vector<void*> pages;
    for (uint32_t i = 0; i < count; ++i) pages.push_back(bytes.data() + i * kBlockBytes);
    int result = hand.read(file, first, pages.data(), count);
    if (result < 0) return failed(result, live, "read");
    for (uint32_t i = 0; i < count; ++i) {
        Stamp stamp;
        std::set<Stamp> allowed = live.history.readable(birth, first + i);
        if (!read_stamp(pages[i], &stamp) || !allowed.contains(stamp))
            throw Broken{fmt::format("live read of block {} gave {}, not one of {}", first + i,
                                     stamp, describe(allowed))};
    }
}

// Not copied: a sync promises nothing of copies, since what they were made of is there as long as
// no restore point shows the copy.
bool Simulation::was_written(LogId log, uint64_t slot) {
    SlotHeader header;
    auto file = sys::File::open(disk_, segment_path(kRoot, log, slot / kSlotsPerSegment, true).text,
                                O_RDONLY);
    return file.ok() &&
           file->read(&header, sizeof header, slot % kSlotsPerSegment * sizeof header).ok() &&
           slot_state(header, log, slot) == SlotState::written && header.kind == SlotKind::page;
}

// The slots of this incarnation that hold blocks of the file, or of every file.
Simulation::Slots Simulation::completed_slots(Live& live, const FileEntry* file) {
    Slots slots;
    for (const FileRecord& record : live_files(live.map())) {
        const FileEntry* each = live.map().find(record.id);
        if (file && each != file) continue;
        for (uint32_t block = 0; block < record.length; ++block) {
            Version version = live.map().lookup(each, block);
            Location location = version.location;
            if (PageCopier::can_copy(location) && was_written(live.log, location.slot()))
                slots[location.slot()] = version.page_crc;
        }
    }
    return slots;
}

// What is answered amid a step in which a sync has failed counts if that step does not end with the
// log poisoned: until then nothing rests on it but the log's own later seals.
void Simulation::promise(Live& live, Slots slots) {
    bool doubtful = nested_ && !struck_before_step_ && fault_has_struck();
    (doubtful ? live.doubtful : promised_[live.log]).merge(slots);
}

void Simulation::settle_doubtful() {
    for (auto& [id, lineage] : lineages_)
        if (lineage.live) {
            Live& live = *lineage.live;
            if (live.map().header().state.load() != LogState::poisoned)
                promised_[live.log].merge(live.doubtful);
            live.doubtful.clear();
        }
}

void Simulation::sync_file(Live& live, PageLog& hand) {
    auto id = pick_file();
    FileEntry* file = id ? live.map().find(*id) : nullptr;
    if (!file) return;
    Slots slots = completed_slots(live, file);
    if (int result = hand.sync_file(file); result < 0) return failed(result, live, "sync file");
    promise(live, std::move(slots));
}

void Simulation::seal(Live& live, PageLog& hand) {
    if (live.sealing) return;
    Flag sealing(live.sealing);
    Slots slots = completed_slots(live, nullptr);
    Moment began = ++now_;
    int result = hand.seal(&began, sizeof began, began);
    if (result < 0) return failed(result, live, "seal");
    promise(live, std::move(slots));
    ControlBuffer control;
    live.map().read_control(&control);
    live.sealed = {control.seal_slot, began, ++now_};
}

// The supervisor poisons through the map's file, of which the simulated memory is only a copy.
void Simulation::adopt_state(Live& live) {
    if (disk_.power_is_off()) return;
    auto state = log_state(disk_, kRoot, live.log);
    if (state.ok() && *state && **state != LogState::live) live.map().header().state.store(**state);
}

// And the other way round, for what the shim poisons.
void Simulation::share_state(Live& live) {
    LogState state = live.map().header().state.load();
    if (state == LogState::poisoned && !disk_.power_is_off())
        (void)set_log_state(disk_, kRoot, live.log, state);
}

void Simulation::index_and_save(Live& live) {
    if (!live.sealed || live.indexing) return;
    if (live.map().header().state.load() != LogState::live) return;
    Flag indexing(live.indexing);
    Sealed sealed = *live.sealed;
    live.sealed.reset();
    auto point = store_->index_seal(live.log, live.previous ? &*live.previous : nullptr,
                                    live.base ? &*live.base : nullptr, sealed.slot);
    adopt_state(live);
    if (!point.ok()) return must(std::move(point).error(), "index a seal");
    add_live_files(*point, live.map());
    point->attachments["moment"] = std::to_string(sealed.began);
    ModelPoint model = make_point(live.history, *point, sealed.began, sealed.ended);
    Incarnation& incarnation = lineages_[live.log.lineage].incarnations[live.log.incarnation];
    ModelPoint& kept = incarnation.points[point->id.number] = std::move(model);
    auto saved = save(disk_, kRoot, *point);
    adopt_state(live);
    if (!saved.ok()) {
        std::string path = restore_point_path(kRoot, live.log, point->id.number).text;
        if (auto there = sys::exists(disk_, path); there.ok() && *there && !fault_has_struck())
            throw Broken{"a restore point that was not saved is there"};
        return must(saved, "save a restore point");
    }
    kept.saved = true;
    live.previous = std::move(*point);
}

void Simulation::make_lineage(const ModelPoint* parent) {
    uint64_t id = ++last_lineage_;
    Lineage& lineage = lineages_[id];
    if (parent) lineage.parent = parent->point.id;
    auto made = store_->create_lineage({id, lineage.parent, {{"made", "by the simulation"}}});
    if (!made.ok()) return must(made, "create a lineage");
    lineage.certain = true;
    start_incarnation(id, parent);
}

void Simulation::branch() {
    std::vector<ModelPoint*> points;
    for (auto& [id, lineage] : lineages_)
        for (auto& [number, incarnation] : lineage.incarnations)
            for (auto& [restore_point, model] : incarnation.points)
                if (model.saved && lineage.certain && !lineage.leaving) points.push_back(&model);
    if (points.empty() || lineages_.size() >= kLineagesMax) return;
    const ModelPoint base = *points[random_.below(points.size())];
    make_lineage(&base);
}

// The compute ends, somehow, and starts again: from its newest restore point, or an older one.
void Simulation::restart() {
    if (lineages_.empty()) return;
    auto at = lineages_.begin();
    std::advance(at, static_cast<ptrdiff_t>(random_.below(lineages_.size())));
    auto& [id, lineage] = *at;
    if (lineage.leaving || !lineage.certain) return;
    if (lineage.live) {
        Live& live = *lineage.live;
        if (auto fenced = store_->fence(live.log); !fenced.ok()) return must(fenced, "fence");
        live.map().header().state.store(LogState::ended);
        bool created;
        int failure;
        FileEntry* file = live.map().find_or_create({1, 0}, &created, &failure);
        std::string page(kBlockBytes, 'f');
        const void* pages[] = {page.data()};
        if (file && live.hands[0]->write(file, 0, pages, 1) != -EIO)
            throw Broken{"a fenced log took a write"};
        lineage.live.reset();
    }
    std::vector<ModelPoint*> own;
    for (auto& [number, incarnation] : lineage.incarnations)
        for (auto& [restore_point, model] : incarnation.points)
            if (model.saved) own.push_back(&model);
    if (own.empty() || !random_.one_in(4)) return start_incarnation_from_newest(id);
    const ModelPoint copy = *own[random_.below(own.size())];
    start_incarnation(id, &copy);
}

// The restore points of a lineage that a garbage collection may not take.
std::set<RestorePointId> Simulation::points_to_keep(uint64_t id, const RestorePointId& oldest,
                                                    const std::set<RestorePointId>& thinned) {
    std::set<RestorePointId> keep;
    uint32_t running = 0;
    for (auto& [number, incarnation] : lineages_[id].incarnations)
        if (incarnation.finished) running = number;
    auto& points = lineages_[id].incarnations[running].points;
    for (auto at = points.rbegin(); at != points.rend() && keep.size() < 2; ++at)
        if (at->second.saved) keep.insert({{id, running}, at->first});
    for (auto& [number, incarnation] : lineages_[id].incarnations)
        for (auto& [restore_point, model] : incarnation.points)
            if (oldest.number != 0 && model.point.id >= oldest && !thinned.contains(model.point.id))
                keep.insert(model.point.id);
    for (auto& [other, lineage] : lineages_) {
        if (lineage.leaving) continue;
        auto record = store_->lineage(other);
        if (record.ok() && record->parent.log.lineage == id) keep.insert(record->parent);
        for (auto& [number, incarnation] : lineage.incarnations)
            if (incarnation.finished && incarnation.base.log.lineage == id)
                keep.insert(incarnation.base);
    }
    return keep;
}

// Slots up to the restore point's seal may go from now on.
void Simulation::forget_promises(const RestorePointId& newest) {
    const ModelPoint* model = find(newest);
    for (auto& [number, incarnation] : lineages_[newest.log.lineage].incarnations) {
        LogId log{newest.log.lineage, number};
        if (log < newest.log) forgotten_[log] = UINT64_MAX;
        if (log == newest.log && model) forgotten_[log] = model->point.seal_slot;
    }
}

// Some restore points go, what only they showed is given back, and what only older ones show is
// packed.
void Simulation::collect_garbage() {
    Live* live = pick_live();
    if (!live || collecting_) return;
    Flag collecting(collecting_);
    uint64_t id = live->log.lineage;
    auto listed = store_->restore_points(id);
    if (!listed.ok()) return must(std::move(listed).error(), "list restore points");
    auto spans = version_spans(*store_, *listed);
    if (!spans.ok()) return must(std::move(spans).error(), "look which restore points see what");
    RestorePointId oldest;
    std::set<RestorePointId> thinned;
    for (const RestorePointId& point : *listed) {
        if (random_.one_in(4)) oldest = point;
        if (random_.one_in(3)) thinned.insert(point);
    }
    auto keep = points_to_keep(id, oldest, thinned);
    for (auto& [number, incarnation] : lineages_[id].incarnations)
        for (auto& [restore_point, model] : incarnation.points)
            if (model.saved && !keep.contains(model.point.id))
                model.collected = true, model.saved = false;
    auto done = store_->collect_garbage(id, oldest, thinned);
    adopt_state(*live);
    if (!done.ok()) return must(done, "collect garbage");
    for (auto& [number, incarnation] : lineages_[id].incarnations)
        for (auto& [restore_point, model] : incarnation.points)
            if (model.saved &&
                !sys::exists(disk_, restore_point_path(kRoot, {id, number}, restore_point).text)
                     .value())
                throw Broken{fmt::format("garbage collection took restore point {}/{}", number,
                                         restore_point)};
    if (!listed->empty()) forget_promises(listed->back());
    std::optional<GiveBack::Branched> branched;
    if (!random_.one_in(4)) branched.emplace(thinned);
    if (random_.one_in(8)) give_backs_.clear();  // the server is started anew
    GiveBackLimits limits{.least_pages = 1, .least_slots = 0};
    GiveBack& give_back = give_backs_.try_emplace(id, limits).first->second;
    gave_back_ += std::chrono::seconds{random_.below(90)};
    auto given = give_back.run(*store_, id, *spans, branched,
                               random_.one_in(3) ? std::nullopt : std::optional(gave_back_));
    adopt_state(*live);
    if (!given.ok()) return must(std::move(given).error(), "give space back");
    pages_packed_ += *given;
    read_all(*live);
}

void Simulation::remove_leaf() {
    if (lineages_.size() < 3) return;
    auto at = std::prev(lineages_.end());
    if (!at->second.certain || at->second.leaving) return;
    auto dependents = store_->dependents(at->first);
    if (!dependents.ok()) return must(std::move(dependents).error(), "look for dependents");
    if (!dependents->empty()) return;
    at->second.leaving = true;
    at->second.live.reset();
    if (auto removed = store_->remove_lineage(at->first); !removed.ok())
        return must(removed, "remove a lineage");
    lineages_.erase(at);
}

void Simulation::limit_space() {
    space_limited_ = !space_limited_;
    disk_.limit_space(space_limited_ ? static_cast<int64_t>(random_.below(3000000)) : -1);
}

}  // namespace tarn::store::power_loss
