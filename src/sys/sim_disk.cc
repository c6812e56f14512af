#include "sys/sim_disk.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace tarn::sys {

namespace {

constexpr uint64_t kSector = 512;
constexpr uint64_t kSpaceUnit = 4096;

std::vector<std::string> components(const std::string& path) {
    std::vector<std::string> found;
    for (size_t at = 0; at < path.size();) {
        size_t end = std::min(path.find('/', at), path.size());
        if (end > at) found.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return found;
}

}  // namespace

SimDisk::SimDisk(uint64_t seed) : random_(seed), root_(std::make_shared<Node>()) {
    root_->directory = true;
}

// Every change passes here first. 0, or -EIO when the power is off; `lock` is held on return.
int SimDisk::begin_change(std::unique_lock<std::mutex>& lock) {
    if (hook_) hook_();
    lock = std::unique_lock(mutex_);
    if (!power_is_off_ && changes_left_ != UINT64_MAX && changes_left_-- == 0) power_is_off_ = true;
    return power_is_off_ ? -EIO : 0;
}

void SimDisk::cut_power_after(uint64_t changes) {
    std::lock_guard lock(mutex_);
    changes_left_ = changes;
}

void SimDisk::fail_sync(SyncSite site, uint64_t nth) {
    failing_[index(site)] = nth;
}

// Puts a change on the durable bytes, as far as its fate lets it.
void SimDisk::apply(Node& node, const Change& change, Fate fate, Random& random) const {
    if (fate == Fate::mixed) fate = std::array{Fate::lost, Fate::kept, Fate::torn}[random.below(3)];
    if (fate == Fate::lost) return;
    if (change.kind != Change::Kind::write) {
        bool changes = change.kind == Change::Kind::cut || change.offset > node.durable.size();
        if (changes && (fate == Fate::kept || random.one_in(2))) node.durable.resize(change.offset);
        return;
    }
    if (fate == Fate::kept) {
        node.durable.write(change.bytes.data(), change.bytes.size(), change.offset);
        return;
    }
    for (uint64_t at = 0; at < change.bytes.size();) {
        uint64_t sector_end = ((change.offset + at) / kSector + 1) * kSector - change.offset;
        uint64_t end = std::min<uint64_t>(sector_end, change.bytes.size());
        if (random.one_in(2))
            node.durable.write(change.bytes.data() + at, end - at, change.offset + at);
        at = end;
    }
    // The length may be kept where the bytes are not: zeros then.
    uint64_t end = change.offset + change.bytes.size();
    if (end > node.durable.size() && random.one_in(2)) node.durable.resize(end);
}

void SimDisk::apply(const Renaming& renaming) {
    for (const Renaming::Part& part : renaming.parts) {
        if (part.node)
            part.directory->durable_names[part.name] = part.node;
        else
            part.directory->durable_names.erase(part.name);
    }
}

void SimDisk::lose_changes(Node& node, Fate fate, Random& random) {
    for (const Change& change : node.changes) apply(node, change, fate, random);
    node.changes.clear();
}

void SimDisk::power_loss(uint64_t seed) {
    std::lock_guard lock(mutex_);
    SeededRandom random(seed);
    // Some losses are of one kind throughout: those find what a mixture hides.
    auto draw = [&random] {
        return std::array{Fate::lost, Fate::kept, Fate::torn, Fate::mixed,
                          Fate::mixed}[random.below(5)];
    };
    Fate names = draw();
    for (const Renaming& renaming : renamings_)
        if (names == Fate::kept || (names != Fate::lost && random.one_in(2))) apply(renaming);
    renamings_.clear();

    Fate bytes = draw();
    std::vector<NodePtr> reached{root_};
    std::set<const Node*> seen;
    while (!reached.empty()) {
        NodePtr node = std::move(reached.back());
        reached.pop_back();
        if (!seen.insert(node.get()).second) continue;
        lose_changes(*node, bytes, random);
        node->current = node->durable;
        node->names = node->durable_names;
        for (const auto& [name, inner] : node->names) reached.push_back(inner);
    }
    descriptors_.clear();
    changes_left_ = UINT64_MAX;
    power_is_off_ = false;
}

SimDisk::NodePtr SimDisk::find(const std::string& path) const {
    NodePtr node = root_;
    for (const std::string& name : components(path)) {
        auto found = node->names.find(name);
        if (found == node->names.end()) return nullptr;
        node = found->second;
    }
    return node;
}

int SimDisk::find_parent(const std::string& path, NodePtr* parent, std::string* name) const {
    std::vector<std::string> names = components(path);
    if (names.empty()) return -EINVAL;
    *name = std::move(names.back());
    names.pop_back();
    *parent = root_;
    for (const std::string& each : names) {
        auto found = (*parent)->names.find(each);
        if (found == (*parent)->names.end()) return -ENOENT;
        *parent = found->second;
        if (!(*parent)->directory) return -ENOTDIR;
    }
    return 0;
}

SimDisk::Descriptor* SimDisk::descriptor(int fd) {
    if (fd < 0 || static_cast<size_t>(fd) >= descriptors_.size()) return nullptr;
    Descriptor* found = &descriptors_[static_cast<size_t>(fd)];
    return found->node ? found : nullptr;
}

// Changes names now, and durably with the next sync of one of their directories.
int SimDisk::change_names(std::vector<Renaming::Part> parts) {
    for (const Renaming::Part& part : parts) {
        if (part.node)
            part.directory->names[part.name] = part.node;
        else
            part.directory->names.erase(part.name);
    }
    renamings_.push_back({std::move(parts)});
    return 0;
}

int SimDisk::open(const char* path, int flags, mode_t) {
    std::unique_lock<std::mutex> lock;
    NodePtr node;
    {
        std::lock_guard look(mutex_);
        if (power_is_off_) return -EIO;
        node = find(path);
    }
    bool changes = (!node && flags & O_CREAT) || (node && flags & O_TRUNC);
    if (changes) {
        if (int result = begin_change(lock); result < 0) return result;
        node = find(path);  // the hook may have been at it
    } else {
        lock = std::unique_lock(mutex_);
    }
    if (node && flags & O_CREAT && flags & O_EXCL) return -EEXIST;
    if (node && flags & O_DIRECTORY && !node->directory) return -ENOTDIR;
    bool writable = (flags & O_ACCMODE) != O_RDONLY;
    if (node && node->directory && writable) return -EISDIR;
    if (!node) {
        NodePtr parent;
        std::string name;
        if (int result = find_parent(path, &parent, &name); result < 0) return result;
        if (!(flags & O_CREAT)) return -ENOENT;
        node = std::make_shared<Node>();
        change_names({{parent, name, node}});
    } else if (flags & O_TRUNC) {
        node->current.resize(0);
        node->changes.push_back({Change::Kind::cut, 0, ""});
    }
    descriptors_.push_back({node, writable});
    return static_cast<int>(descriptors_.size() - 1);
}

int SimDisk::close(int fd) {
    std::lock_guard lock(mutex_);
    Descriptor* found = descriptor(fd);
    if (!found) return -EBADF;
    *found = {};
    return 0;
}

size_t SimDisk::shortened(size_t size) {
    if (size <= kSector || shorten_one_in_ == 0 || !random_.one_in(shorten_one_in_)) return size;
    return kSector * (1 + random_.below((size - 1) / kSector));
}

int64_t SimDisk::pread(int fd, void* data, size_t size, int64_t offset) {
    iovec part{data, size};
    return preadv(fd, &part, 1, offset);
}

int64_t SimDisk::preadv(int fd, const iovec* parts, int count, int64_t offset) {
    std::lock_guard lock(mutex_);
    if (power_is_off_) return -EIO;
    Descriptor* found = descriptor(fd);
    if (!found || offset < 0) return found ? -EINVAL : -EBADF;
    if (found->node->directory) return -EISDIR;
    size_t wanted = 0, done = 0;
    for (int i = 0; i < count; ++i) wanted += parts[i].iov_len;
    wanted = shortened(wanted);
    for (int i = 0; i < count && done < wanted; ++i) {
        size_t part = std::min(parts[i].iov_len, wanted - done);
        size_t got = found->node->current.read(parts[i].iov_base, part,
                                               static_cast<uint64_t>(offset) + done);
        done += got;
        if (got < part) break;
    }
    return static_cast<int64_t>(done);
}

int64_t SimDisk::preadv_cached(int, const iovec*, int, int64_t) {
    return -EOPNOTSUPP;
}

int64_t SimDisk::pwrite(int fd, const void* data, size_t size, int64_t offset) {
    iovec part{const_cast<void*>(data), size};
    return pwritev(fd, &part, 1, offset);
}

int64_t SimDisk::pwritev(int fd, const iovec* parts, int count, int64_t offset) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    Descriptor* found = descriptor(fd);
    if (!found || !found->writable || offset < 0) return -EBADF;
    std::string bytes;
    for (int i = 0; i < count; ++i)
        bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    bytes.resize(shortened(bytes.size()));
    if (bytes.empty()) return 0;
    auto at = static_cast<uint64_t>(offset);
    if (int result = take_space(*found->node, at, bytes.size()); result < 0) return result;
    found->node->current.write(bytes.data(), bytes.size(), at);
    auto written = static_cast<int64_t>(bytes.size());
    found->node->changes.push_back({Change::Kind::write, at, std::move(bytes)});
    return written;
}

// Backs bytes of the file with disk space. 0 or -ENOSPC, with nothing taken.
int SimDisk::take_space(Node& node, uint64_t offset, uint64_t size) {
    uint64_t begin = offset / kSpaceUnit;
    uint64_t end = (offset + size + kSpaceUnit - 1) / kSpaceUnit;
    if (node.taken.size() < end) node.taken.resize(end);
    auto first = node.taken.begin() + static_cast<ptrdiff_t>(begin);
    auto last = node.taken.begin() + static_cast<ptrdiff_t>(end);
    int64_t needed = std::count(first, last, false) * static_cast<int64_t>(kSpaceUnit);
    if (space_left_ >= 0 && needed > space_left_) return -ENOSPC;
    if (space_left_ >= 0) space_left_ -= needed;
    std::fill(first, last, true);
    return 0;
}

// Only units that lie wholly inside.
void SimDisk::free_space(Node& node, uint64_t begin, uint64_t end) {
    end = std::min<uint64_t>(end / kSpaceUnit, node.taken.size());
    for (uint64_t unit = (begin + kSpaceUnit - 1) / kSpaceUnit; unit < end; ++unit) {
        if (node.taken[unit] && space_left_ >= 0) space_left_ += static_cast<int64_t>(kSpaceUnit);
        node.taken[unit] = false;
    }
}

// As a write of zeros, which a power loss keeps, loses or tears like any other.
int SimDisk::punch(int fd, int64_t offset, int64_t size) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    Descriptor* found = descriptor(fd);
    if (!found || !found->writable) return -EBADF;
    auto begin = static_cast<uint64_t>(offset);
    uint64_t end = std::min(begin + static_cast<uint64_t>(size), found->node->current.size());
    if (begin >= end) return 0;
    std::string zeros(end - begin, '\0');
    found->node->current.write(zeros.data(), zeros.size(), begin);
    found->node->changes.push_back({Change::Kind::write, begin, std::move(zeros)});
    free_space(*found->node, begin, end);
    return 0;
}

int SimDisk::allocate(int fd, int64_t offset, int64_t size) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    Descriptor* found = descriptor(fd);
    if (!found || !found->writable) return -EBADF;
    auto begin = static_cast<uint64_t>(offset), end = begin + static_cast<uint64_t>(size);
    if (int result = take_space(*found->node, begin, end - begin); result < 0) return result;
    if (end > found->node->current.size()) {
        found->node->current.resize(end);
        found->node->changes.push_back({Change::Kind::grow, end, ""});
    }
    return 0;
}

int SimDisk::truncate(int fd, int64_t size) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    Descriptor* found = descriptor(fd);
    if (!found || !found->writable) return -EBADF;
    found->node->current.resize(static_cast<uint64_t>(size));
    found->node->changes.push_back({Change::Kind::cut, static_cast<uint64_t>(size), ""});
    return 0;
}

int64_t SimDisk::size(int fd) {
    std::lock_guard lock(mutex_);
    if (power_is_off_) return -EIO;
    Descriptor* found = descriptor(fd);
    return found ? static_cast<int64_t>(found->node->current.size()) : -EBADF;
}

// A copy: what is mapped does not change any more.
const void* SimDisk::map(int fd, size_t size) {
    std::lock_guard lock(mutex_);
    Descriptor* found = descriptor(fd);
    if (!found || power_is_off_ || found->node->current.size() < size) return nullptr;
    maps_.push_back(std::make_unique<char[]>(size));
    found->node->current.read(maps_.back().get(), size, 0);
    return maps_.back().get();
}

// Counts the call; true if it is the one that fails.
bool SimDisk::sync_fails(SyncSite site) {
    ++syncs_[index(site)];
    return failing_[index(site)] > 0 && --failing_[index(site)] == 0;
}

int SimDisk::sync(int fd, SyncSite site) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    Descriptor* found = descriptor(fd);
    if (!found) return -EBADF;
    bool fails = sync_fails(site);
    if (disabled_[index(site)]) return 0;
    lose_changes(*found->node, fails ? Fate::mixed : Fate::kept, random_);
    return fails ? -EIO : 0;
}

int SimDisk::sync_directory(const char* path, SyncSite site) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    NodePtr directory = find(path);
    if (!directory) return -ENOENT;
    if (!directory->directory) return -ENOTDIR;
    bool fails = sync_fails(site);
    if (disabled_[index(site)]) return 0;
    std::erase_if(renamings_, [&](const Renaming& renaming) {
        bool here = std::any_of(renaming.parts.begin(), renaming.parts.end(),
                                [&](const auto& part) { return part.directory == directory; });
        if (here && (!fails || random_.one_in(2))) apply(renaming);
        return here;
    });
    return fails ? -EIO : 0;
}

int SimDisk::rename(const char* from, const char* to) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    NodePtr source, target;
    std::string source_name, target_name;
    if (int result = find_parent(from, &source, &source_name); result < 0) return result;
    if (int result = find_parent(to, &target, &target_name); result < 0) return result;
    auto found = source->names.find(source_name);
    if (found == source->names.end()) return -ENOENT;
    NodePtr node = found->second;
    auto replaced = target->names.find(target_name);
    if (replaced != target->names.end()) {
        if (replaced->second == node) return 0;
        if (replaced->second->directory && !node->directory) return -EISDIR;
        if (!replaced->second->directory && node->directory) return -ENOTDIR;
        if (!replaced->second->names.empty()) return -ENOTEMPTY;
    }
    return change_names({{source, source_name, nullptr}, {target, target_name, node}});
}

int SimDisk::link(const char* from, const char* to) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    NodePtr node = find(from), parent;
    std::string name;
    if (!node) return -ENOENT;
    if (node->directory) return -EPERM;
    if (int result = find_parent(to, &parent, &name); result < 0) return result;
    if (parent->names.contains(name)) return -EEXIST;
    return change_names({{parent, name, node}});
}

int SimDisk::unlink(const char* path) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    NodePtr parent;
    std::string name;
    if (int result = find_parent(path, &parent, &name); result < 0) return result;
    auto found = parent->names.find(name);
    if (found == parent->names.end()) return -ENOENT;
    if (found->second->directory) return -EISDIR;
    return change_names({{parent, name, nullptr}});
}

int SimDisk::make_directory(const char* path, mode_t) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    NodePtr parent;
    std::string name;
    if (int result = find_parent(path, &parent, &name); result < 0) return result;
    if (parent->names.contains(name)) return -EEXIST;
    auto node = std::make_shared<Node>();
    node->directory = true;
    return change_names({{parent, name, node}});
}

int SimDisk::remove_directory(const char* path) {
    std::unique_lock<std::mutex> lock;
    if (int result = begin_change(lock); result < 0) return result;
    NodePtr parent;
    std::string name;
    if (int result = find_parent(path, &parent, &name); result < 0) return result;
    auto found = parent->names.find(name);
    if (found == parent->names.end()) return -ENOENT;
    if (!found->second->directory) return -ENOTDIR;
    if (!found->second->names.empty()) return -ENOTEMPTY;
    return change_names({{parent, name, nullptr}});
}

int SimDisk::list(const char* path, void (*visit)(void*, const char*), void* context) {
    std::vector<std::string> names;
    {
        std::lock_guard lock(mutex_);
        if (power_is_off_) return -EIO;
        NodePtr directory = find(path);
        if (!directory) return -ENOENT;
        if (!directory->directory) return -ENOTDIR;
        for (const auto& [name, node] : directory->names) names.push_back(name);
    }
    for (const std::string& name : names) visit(context, name.c_str());
    return 0;
}

int SimDisk::flip_bit(const std::string& path, uint64_t bit) {
    std::lock_guard lock(mutex_);
    NodePtr node = find(path);
    if (!node || node->directory) return -ENOENT;
    if (bit / 8 >= node->current.size()) return -EINVAL;
    node->current.flip(bit);
    node->durable.flip(bit);
    return 0;
}

}  // namespace tarn::sys
