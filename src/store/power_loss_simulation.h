// power_loss_simulation.h: one run of the store against a disk that loses power, from one seed.
//
// A run makes lineages, writes, cuts and unlinks files, copies pages, seals, saves restore points,
// branches, restarts, collects garbage and packs history, with other processes' steps in the middle
// of any of these; the power goes at a change of the disk that the seed draws. Then everything that
// had been promised must be there, everything that is there must be right, and the run goes on from
// it. The oracle is a model in plain maps (power_loss_model.h).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "store/give_back.h"
#include "store/lineage.h"
#include "store/page_log.h"
#include "store/power_loss_model.h"
#include "sys/sim_disk.h"

namespace tarn::store::power_loss {

struct Options {
    std::optional<sys::SyncSite> disabled;  // this kind of sync lies
    std::optional<sys::SyncSite> failing;   // this kind of sync fails once
    bool corrupt = false;                   // stored bits flip at the end
};

// What went wrong: what the store promised and did not keep.
struct Broken {
    std::string what;
};

class Simulation {
  public:
    Simulation(uint64_t seed, Options options);
    ~Simulation();

    // Empty if the store kept all its promises.
    std::string run();

    uint64_t syncs(sys::SyncSite site) const { return disk_.syncs(site); }
    uint64_t power_losses() const { return power_losses_; }
    uint64_t points_verified() const { return points_verified_; }
    uint64_t damage_found() const { return damage_found_; }
    uint64_t errors_served() const { return errors_served_; }
    uint64_t pages_copied() const { return pages_copied_; }
    uint64_t pages_packed() const { return pages_packed_; }

  private:
    struct PowerOff {};
    struct Bit {
        std::string path;
        uint64_t number;
    };
    // Slots that a sync has been answered for, with their pages' checksums.
    using Slots = std::map<uint64_t, uint32_t>;
    struct Sealed {
        uint64_t slot;
        Moment began, ended;
    };
    // A running incarnation: what its processes share, and what the model knows of it.
    struct Live {
        LogId log;
        void* memory = nullptr;
        std::unique_ptr<PageLog> hands[3];  // processes; the last one acts amid the others
        History history;
        std::optional<RestorePoint> base, previous;
        std::optional<Sealed> sealed;
        Slots doubtful;  // answered amid the step that is under way, after a sync had failed
        bool sealing = false, indexing = false, copying = false;
        ~Live();
        PageMap& map() { return hands[0]->map(); }
    };
    struct Incarnation {
        RestorePointId base;
        bool finished = false;
        std::map<uint32_t, ModelPoint> points;
    };
    struct Lineage {
        RestorePointId parent;
        bool certain = false;  // its making has been answered
        bool leaving = false;  // its removal has begun
        std::map<uint32_t, Incarnation> incarnations;
        std::unique_ptr<Live> live;
    };

    // Steps (power_loss_steps.cc).
    void step();
    void nested_step();
    void write(Live& live, PageLog& hand);
    void extend(Live& live);
    void truncate(Live& live, PageLog& hand);
    void unlink(Live& live);
    void copy(Live& live, PageLog& hand);
    void read(Live& live, PageLog& hand, FileId id, uint32_t first, uint32_t count);
    void read_all(Live& live);
    void read(Live& live, PageLog& hand);
    void sync_file(Live& live, PageLog& hand);
    void seal(Live& live, PageLog& hand);
    void index_and_save(Live& live);
    void make_lineage(const ModelPoint* parent);
    void branch();
    void restart();
    void forget_promises(const RestorePointId& newest);
    void collect_garbage();
    void remove_leaf();
    void limit_space();

    // Making and checking (power_loss_simulation.cc).
    void run_epoch();
    void recover();
    void recover_lineage(uint64_t id, Lineage& lineage);
    void check_points(uint64_t id, uint32_t number, Incarnation& incarnation);
    void check_point(ModelPoint& model);
    void start_incarnation(uint64_t id, const ModelPoint* base);
    void start_incarnation_from_newest(uint64_t id);
    std::unique_ptr<Live> attach(LogId log);
    void open_live(uint64_t id, LogId log, const ModelPoint* base);
    void read_base(Live& live, ModelPoint& base);
    void check_promises();

    // Damage (power_loss_damage.cc).
    void corrupt_and_read();
    std::optional<Bit> pick_bit(const ModelPoint& model);
    void read_damaged(const ModelPoint& model);

    // Ends the run unless the failure is one that was asked for.
    void must(const Result<void>& result, const std::string& doing);
    template <class T>
    T value(Result<T> result, const std::string& doing) {
        if (result.ok()) return std::move(result).value();
        if (disk_.power_is_off()) throw PowerOff{};
        throw Broken{fmt::format("{}: {}", doing, result.error().text())};
    }
    void failed(int result, Live& live, const std::string& doing);
    void adopt_state(Live& live);
    void share_state(Live& live);
    void promise(Live& live, Slots slots);
    void settle_doubtful();
    bool was_written(LogId log, uint64_t slot);
    Slots completed_slots(Live& live, const FileEntry* file);
    void excuse(const std::string& problem);
    bool fault_has_struck() const;
    bool is_copying() const;
    ModelPoint* find(const RestorePointId& id);
    std::set<RestorePointId> points_to_keep(uint64_t id, const RestorePointId& oldest,
                                            const std::set<RestorePointId>& thinned);
    Live* pick_live();
    std::optional<FileId> pick_file();

    uint64_t seed_;
    Options options_;
    sys::SeededRandom random_;
    sys::SimDisk disk_;
    std::optional<Store> store_;
    std::map<uint64_t, Lineage> lineages_;
    std::map<LogId, Slots> promised_;
    std::map<LogId, uint64_t> forgotten_;  // slots below it may have been given back
    std::set<FileId> busy_;                // files that a step has in hand
    std::map<uint64_t, GiveBack> give_backs_;  // of lineages: what the server remembers
    Time gave_back_;                           // when one had its turn last
    Moment now_ = 0;
    Stamp last_stamp_ = 0;
    uint64_t last_lineage_ = 0;
    uint64_t syncs_when_armed_ = 0, fails_at_ = 0;
    bool collecting_ = false, nested_ = false, stepping_ = false, space_limited_ = false,
         new_boundary_ = false, struck_before_step_ = false;
    uint64_t power_losses_ = 0, points_verified_ = 0, damage_found_ = 0, errors_served_ = 0,
             pages_copied_ = 0, pages_packed_ = 0;
};

}  // namespace tarn::store::power_loss
