// map_file.cc: the map as a file: made from a restore point, mapped, and told that it has ended.

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "store/index_writer.h"
#include "store/lineage.h"
#include "store/log_state.h"
#include "store/paths.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr uint64_t kBackedUnit = uint64_t{256} << 10;  // disk space of a map comes in such steps

// Zeroed memory that goes with the object.
class Area {
  public:
    static Result<Area> make(uint64_t bytes) {
        void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) return errno_error(errno, fmt::format("take {} bytes", bytes));
        return Area(base, bytes);
    }
    Area(Area&& other) noexcept
        : base_(std::exchange(other.base_, nullptr)), bytes_(other.bytes_) {}
    Area& operator=(Area&&) = delete;
    ~Area() {
        if (base_) ::munmap(base_, bytes_);
    }
    void* base() const { return base_; }

  private:
    Area(void* base, uint64_t bytes) : base_(base), bytes_(bytes) {}
    void* base_;
    uint64_t bytes_;
};

// The logs that the base's indexes point into, each once, and proof that the indexes are whole: the
// shim, which cannot read megabytes at every start of a process, rests on it.
Result<std::vector<LogId>> logs_below(sys::Disk& disk, const char* root, const RestorePoint& base) {
    std::vector<LogId> logs;
    for (const IndexRef& ref : base.indexes) {
        for (LogId log : TRY(checked_sources(disk, root, ref)))
            if (std::find(logs.begin(), logs.end(), log) == logs.end()) logs.push_back(log);
    }
    return logs;
}

Result<void> fill(PageMap map, const RestorePoint& base, const std::vector<LogId>& logs) {
    MapHeader& header = map.header();
    if (base.indexes.size() > kMaxIndexes || logs.size() > kMaxSources - 2)
        return error(Code::quota_exceeded,
                     "make map from restore point {:016x}/{}/{}: {} indexes over {} logs; {} and "
                     "{} are allowed",
                     base.id.log.lineage, base.id.log.incarnation, base.id.number,
                     base.indexes.size(), logs.size(), kMaxIndexes, kMaxSources - 2)
            .with_hint("branches are nested too deeply; copy the data into a new project");
    for (LogId log : logs)
        if (log != header.sources[1]) header.sources[header.source_count++] = log;
    std::copy(base.indexes.begin(), base.indexes.end(), header.indexes);
    header.index_count = static_cast<uint32_t>(base.indexes.size());
    header.next_birth.store(base.next_birth);
    for (const FileRecord& file : base.files)
        if (int result = map.add_inherited(file.id, file.birth, file.length); result < 0)
            return errno_error(-result,
                               fmt::format("enter {} files into a map", base.files.size()));
    return {};
}

int no_more(void*, uint64_t, uint64_t) {
    return -ENOSPC;  // everything was counted beforehand
}

}  // namespace

Result<void> Store::create_map(LogId log, const RestorePoint* base) const {
    uint64_t bytes = PageMap::header_bytes() + (base ? base->files.size() : 0) * sizeof(FileEntry);
    bytes = (bytes + kBackedUnit - 1) / kBackedUnit * kBackedUnit;
    if (bytes > kMapBytes)
        return error(Code::quota_exceeded, "make map: {} files are too many", base->files.size());
    Area area = TRY_CTX(Area::make(bytes), "make map");
    PageMap::format(area.base(), log, bytes);
    PageMap map(area.base(), {no_more, nullptr});
    root_.copy(map.header().store_root, sizeof map.header().store_root - 1);
    if (base) {
        std::vector<LogId> logs = TRY_CTX(logs_below(*disk_, root_.c_str(), *base), "make map");
        TRY(fill(map, *base, logs));
    }

    Path path = map_path(root_.c_str(), log);
    // Never truncated in place: whoever still has the old one mapped would die of it.
    if (int result = disk_->unlink(path); result < 0 && result != -ENOENT)
        return errno_error(-result, fmt::format("make map: remove {}", path.text));
    sys::File file =
        TRY_CTX(sys::File::open(*disk_, path.text, O_RDWR | O_CREAT | O_EXCL), "make map");
    int result = disk_->allocate(file.fd(), 0, static_cast<int64_t>(bytes));
    // Without support for it, the write below takes the space.
    if (result < 0 && result != -EOPNOTSUPP)
        return errno_error(-result, fmt::format("make map: reserve space for {}", path.text));
    TRY_CTX(file.write(area.base(), bytes, 0), "make map");
    if (result = disk_->truncate(file.fd(), static_cast<int64_t>(kMapBytes)); result < 0)
        return errno_error(-result, fmt::format("make map: extend {}", path.text));
    return {};
}

Result<void> Store::fence(LogId log) const {
    // A poisoned log stays poisoned: nothing of it may be sealed afterwards.
    if (TRY_CTX(log_state(*disk_, root_.c_str(), log), "fence") != LogState::live) return {};
    TRY_CTX(set_log_state(*disk_, root_.c_str(), log, LogState::ended), "fence {:016x}/{}",
            log.lineage, log.incarnation);
    return {};
}

Result<MappedMap> MappedMap::open(const std::string& root, LogId log) {
    Path path = map_path(root.c_str(), log);
    MappedMap mapped;
    int fd = sys::real_disk().open(path, O_RDWR, 0);
    if (fd < 0) return errno_error(-fd, fmt::format("open map {}", path.text));
    mapped.fd_ = sys::Descriptor(fd);
    int64_t size = sys::real_disk().size(fd);
    if (size != static_cast<int64_t>(kMapBytes))
        return error(Code::data_loss, "open map {}: it has {} bytes, not {}", path.text, size,
                     kMapBytes)
            .with_hint("its making was cut short; start the compute anew");
    void* base = ::mmap(nullptr, kMapBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return errno_error(errno, fmt::format("map {}", path.text));
    mapped.base_ = base;
    if (!PageMap::valid(base))
        return error(Code::data_loss, "open map {}: these bytes are not a map of this version",
                     path.text)
            .with_hint("start the compute anew: maps are made at every start");
    return mapped;
}

MappedMap::MappedMap(MappedMap&& other) noexcept
    : fd_(std::move(other.fd_)), base_(std::exchange(other.base_, nullptr)) {}

MappedMap& MappedMap::operator=(MappedMap&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(base_, other.base_);
    return *this;
}

MappedMap::~MappedMap() {
    if (base_) ::munmap(base_, kMapBytes);
}

PageMap MappedMap::map() {
    auto grow = [](void* context, uint64_t from, uint64_t end) {
        auto fd = static_cast<int>(reinterpret_cast<intptr_t>(context));
        return sys::real_disk().allocate(fd, static_cast<int64_t>(from),
                                         static_cast<int64_t>(end - from));
    };
    // The descriptor goes by value, so that a PageMap outlives a move of this object.
    return PageMap(base_, {grow, reinterpret_cast<void*>(static_cast<intptr_t>(fd_.fd()))});
}

std::vector<FileRecord> live_files(const PageMap& map) {
    std::vector<FileRecord> files;
    map.each_file(
        [](void* context, FileEntry* file) {
            static_cast<std::vector<FileRecord>*>(context)->push_back(
                {file->id, file->birth.load(std::memory_order_acquire),
                 file->length.load(std::memory_order_acquire)});
        },
        &files);
    std::sort(files.begin(), files.end(),
              [](const FileRecord& a, const FileRecord& b) { return a.id < b.id; });
    return files;
}

void add_live_files(RestorePoint& point, const PageMap& map) {
    point.files = live_files(map);
    // Read last: it is above every birth in the list.
    point.next_birth = std::max(point.next_birth, map.header().next_birth.load());
}

}  // namespace tarn::store
