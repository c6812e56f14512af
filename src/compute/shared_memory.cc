#include "compute/shared_memory.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>

#include "base/bytes.h"
#include "base/log.h"
#include "compute/postgres_process.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

constexpr int kSegmentLine = 7;  // of postmaster.pid

// What PostgreSQL 16 to 18 keep in these segments on 64-bit machines (PGShmemHeader in pg_shmem.h,
// dsm_control_header and dsm_control_item in dsm.c).
struct SegmentHeader {
    static constexpr int32_t kMagic = 679834894;
    int32_t magic;
    int32_t creator;
    uint64_t total_size;
    uint64_t free_offset;
    uint32_t control_handle;  // of the segment that lists the dynamic ones; 0: there are none
    uint64_t index;
    uint64_t device;  // of the data directory
    uint64_t inode;
};
static_assert(sizeof(SegmentHeader) == 56);

struct ControlHeader {
    static constexpr uint32_t kMagic = 0x9a503d32;
    uint32_t magic;
    uint32_t used;
    uint32_t room;
    uint32_t padding;
};

struct ControlItem {
    uint32_t handle;
    uint32_t references;  // 0: its segment is gone
    uint64_t first_page;
    uint64_t pages;
    uint64_t unused;
    uint64_t pinned;
};
static_assert(sizeof(ControlHeader) == 16 && sizeof(ControlItem) == 40);

struct SegmentName {
    key_t key = 0;
    int id = 0;
};

// The line is "<key> <id>"; nothing while PostgreSQL has not made its segment yet.
std::optional<SegmentName> segment_of(const std::string& pgdata) {
    auto line = postmaster_line(pgdata, kSegmentLine);
    const char* at = line.data();
    const char* end = at + line.size();
    unsigned long numbers[2];
    for (unsigned long& number : numbers) {
        while (at < end && *at == ' ') ++at;
        auto [next, failure] = std::from_chars(at, end, number);
        if (failure != std::errc{}) return std::nullopt;
        at = next;
    }
    return SegmentName{static_cast<key_t>(numbers[0]), static_cast<int>(numbers[1])};
}

// The header of a segment that is this directory's for certain, and that nobody uses: after a boot
// its number may be anybody's.
std::optional<SegmentHeader> header_of(const SegmentName& name, const struct stat& directory) {
    struct shmid_ds status {};
    if (::shmctl(name.id, IPC_STAT, &status) != 0) return std::nullopt;
    bool unused = status.shm_perm.__key == name.key && status.shm_nattch == 0 &&
                  status.shm_perm.uid == directory.st_uid &&
                  status.shm_perm.cuid == directory.st_uid &&
                  status.shm_segsz >= sizeof(SegmentHeader);
    if (!unused) return std::nullopt;
    void* memory = ::shmat(name.id, nullptr, SHM_RDONLY);
    if (memory == reinterpret_cast<void*>(-1)) return std::nullopt;
    auto header = load<SegmentHeader>(memory);
    ::shmdt(memory);
    bool ours = header.magic == SegmentHeader::kMagic && header.device == directory.st_dev &&
                header.inode == directory.st_ino;
    return ours ? std::optional(header) : std::nullopt;
}

std::string dynamic_segment_path(uint32_t handle) {
    return fmt::format("/dev/shm/PostgreSQL.{}", handle);
}

int remove_dynamic_segments(uint32_t control) {
    int removed = 0;
    auto path = dynamic_segment_path(control);
    auto bytes = sys::read_file(sys::real_disk(), path);
    ControlHeader header{};
    if (bytes && bytes->size() >= sizeof header) header = load<ControlHeader>(bytes->data());
    if (header.magic != ControlHeader::kMagic) return 0;
    size_t room = (bytes->size() - sizeof header) / sizeof(ControlItem);
    for (size_t i = 0; i < std::min<size_t>(header.used, room); ++i) {
        auto item = load<ControlItem>(bytes->data(), sizeof header + i * sizeof(ControlItem));
        // An odd handle is a piece of the main segment and has no file.
        if (item.references == 0 || item.handle % 2 != 0) continue;
        removed += ::unlink(dynamic_segment_path(item.handle).c_str()) == 0;
    }
    // Last: whoever is interrupted before this finds the list again.
    removed += ::unlink(path.c_str()) == 0;
    return removed;
}

}  // namespace

void remove_shared_memory(const std::string& pgdata) {
    auto name = segment_of(pgdata);
    struct stat directory {};
    if (!name || ::stat(pgdata.c_str(), &directory) != 0) return;
    auto header = header_of(*name, directory);
    if (!header) return;
    int dynamic = header->control_handle ? remove_dynamic_segments(header->control_handle) : 0;
    if (::shmctl(name->id, IPC_RMID, nullptr) != 0)
        log::warn("compute: shared memory segment {} of {}: {}", name->id, pgdata,
                  errno_error(errno, "remove it").text());
    else
        log::info("compute: removed shared memory segment {} of {} and {} dynamic ones", name->id,
                  pgdata, dynamic);
}

}  // namespace tarn::compute
