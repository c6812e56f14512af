// sim_disk.h: a disk in memory that loses power.
//
// It keeps what a real one keeps and no more. Bytes and length of a file are durable after a sync
// of that file; a name in a directory is durable after a sync of that directory. Until then a power
// loss keeps, loses or tears (at sectors of 512 bytes) each write, and keeps or loses each change
// of a directory, each on its own: no order between them is kept, and syncing a new file does not
// keep its name. A rename is kept or lost whole. Everything random comes from seeds.
//
// Threads: any; a hook runs in the thread that called.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sys/disk.h"
#include "sys/randomness.h"
#include "sys/sim_image.h"

namespace tarn::sys {

class SimDisk final : public Disk {
  public:
    explicit SimDisk(uint64_t seed);

    // What is not durable is kept, torn or lost; every descriptor is gone; the power is back.
    void power_loss(uint64_t seed);
    // After this many more changes (writes, syncs, changes of directories) the power is off: every
    // call answers -EIO until power_loss().
    void cut_power_after(uint64_t changes);
    bool power_is_off() const { return power_is_off_; }

    // From now on this kind of sync answers 0 and does nothing.
    void disable(SyncSite site) { disabled_[index(site)] = true; }
    // The nth call from now fails once, with -EIO, and keeps or drops what it should have made
    // durable, each write at random; nothing will make the dropped ones durable afterwards.
    void fail_sync(SyncSite site, uint64_t nth);
    uint64_t syncs(SyncSite site) const { return syncs_[index(site)]; }

    // So many bytes more can be taken; -1: no limit.
    void limit_space(int64_t bytes) { space_left_ = bytes; }
    // One in so many reads and writes does less than it was asked for; 0: none.
    void shorten_one_in(uint64_t times) { shorten_one_in_ = times; }
    // Damages a stored bit. 0 or -errno.
    int flip_bit(const std::string& path, uint64_t bit);

    // Called before every change, with nothing locked: it may use the disk, and is called for that
    // use too.
    void before_each_change(std::function<void()> hook) { hook_ = std::move(hook); }

    int open(const char* path, int flags, mode_t mode) override;
    int close(int fd) override;
    int64_t pread(int fd, void* data, size_t size, int64_t offset) override;
    int64_t preadv(int fd, const iovec* parts, int count, int64_t offset) override;
    int64_t preadv_cached(int fd, const iovec* parts, int count, int64_t offset) override;
    int64_t pwrite(int fd, const void* data, size_t size, int64_t offset) override;
    int64_t pwritev(int fd, const iovec* parts, int count, int64_t offset) override;
    int sync(int fd, SyncSite site) override;
    int allocate(int fd, int64_t offset, int64_t size) override;
    int punch(int fd, int64_t offset, int64_t size) override;
    int truncate(int fd, int64_t size) override;
    int64_t size(int fd) override;
    const void* map(int fd, size_t size) override;
    void will_need(int, int64_t, int64_t) override {}
    void write_back(int, int64_t, int64_t) override {}
    int rename(const char* from, const char* to) override;
    int link(const char* from, const char* to) override;
    int unlink(const char* path) override;
    int make_directory(const char* path, mode_t mode) override;
    int remove_directory(const char* path) override;
    int sync_directory(const char* path, SyncSite site) override;
    int list(const char* path, void (*visit)(void* context, const char* name),
             void* context) override;

  private:
    struct Node;
    using NodePtr = std::shared_ptr<Node>;

    // A change of a file that is not durable yet.
    struct Change {
        enum class Kind { write, grow, cut } kind;
        uint64_t offset = 0;  // where the bytes go, or the new size
        std::string bytes;
    };
    struct Node {
        bool directory = false;
        SimImage current, durable;                            // of a file
        std::vector<Change> changes;                          // from durable to current
        std::vector<bool> taken;                              // blocks of disk space
        std::map<std::string, NodePtr> names, durable_names;  // of a directory
    };
    // A change of directories that is not durable yet; its parts are kept or lost together.
    struct Renaming {
        struct Part {
            NodePtr directory;
            std::string name;
            NodePtr node;  // null: the name goes
        };
        std::vector<Part> parts;
    };
    struct Descriptor {
        NodePtr node;
        bool writable = false;
    };
    enum class Fate { lost, kept, torn, mixed };

    static size_t index(SyncSite site) { return static_cast<size_t>(site); }
    int begin_change(std::unique_lock<std::mutex>& lock);
    NodePtr find(const std::string& path) const;
    int find_parent(const std::string& path, NodePtr* parent, std::string* name) const;
    Descriptor* descriptor(int fd);
    int change_names(std::vector<Renaming::Part> parts);
    int take_space(Node& node, uint64_t offset, uint64_t size);
    void free_space(Node& node, uint64_t begin, uint64_t end);
    size_t shortened(size_t size);
    int write_locked(int fd, const std::string& bytes, int64_t offset);
    bool sync_fails(SyncSite site);
    void apply(Node& node, const Change& change, Fate fate, Random& random) const;
    static void apply(const Renaming& renaming);
    void lose_changes(Node& node, Fate fate, Random& random);

    mutable std::mutex mutex_;
    SeededRandom random_;
    NodePtr root_;
    std::vector<Descriptor> descriptors_;
    std::vector<Renaming> renamings_;  // in the order in which they were made
    std::vector<std::unique_ptr<char[]>> maps_;
    std::function<void()> hook_;
    uint64_t changes_left_ = UINT64_MAX;
    bool power_is_off_ = false;
    int64_t space_left_ = -1;
    uint64_t shorten_one_in_ = 0;
    static constexpr size_t kSites = static_cast<size_t>(SyncSite::count_);
    bool disabled_[kSites] = {};
    uint64_t failing_[kSites] = {};  // 1: the next call; 0: none
    uint64_t syncs_[kSites] = {};
};

}  // namespace tarn::sys
