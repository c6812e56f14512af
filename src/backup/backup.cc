#include "backup/backup.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>

#include "backup/inventory.h"
#include "base/bytes.h"
#include "sys/clock.h"
#include "sys/descriptor.h"
#include "sys/files.h"
#include "sys/randomness.h"
#include "sys/small_file.h"

namespace tarn::backup {

namespace {

constexpr int kAttempts = 5;
// Changes that are as young as this may be followed by others with the same time.
constexpr int64_t kTooYoung = 2'000'000'000;

int64_t nanoseconds(const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Result<FileStamp> stamp_of(const sys::File& file) {
    struct stat status {};
    if (::fstat(file.fd(), &status) != 0)
        return errno_error(errno, fmt::format("look at {}", file.path()));
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    int64_t changed = nanoseconds(status.st_ctim);
    if (nanoseconds(now) - changed < kTooYoung) changed = 0;
    return FileStamp{status.st_ino, static_cast<uint64_t>(status.st_size), changed};
}

Result<sys::File> open_first(const FileToSave& file) {
    auto opened = sys::File::open(sys::real_disk(), file.sources.front(), O_RDONLY);
    for (size_t at = 1; !opened && opened.error().code() == Code::not_found; ++at) {
        if (at == file.sources.size()) return opened;
        opened = sys::File::open(sys::real_disk(), file.sources[at], O_RDONLY);
    }
    return opened;
}

// Nothing was ever written there, or it was given back: it reads as zeros, and need not be read.
bool is_hole(const sys::File& file, uint64_t at, uint64_t size) {
    off_t data = ::lseek(file.fd(), static_cast<off_t>(at), SEEK_DATA);
    return data < 0 ? errno == ENXIO : static_cast<uint64_t>(data) >= at + size;
}

class Run {
  public:
    Run(Repository& repository, Turn& turn, const BackupRequest& request, std::string source,
        const std::optional<Manifest>& before)
        : repository_(repository), turn_(turn), request_(request) {
        manifest_.source = std::move(source);
        if (!before) return;
        for (const SavedFile& file : before->files) before_[file.path] = &file;
    }

    Result<Manifest> save(Inventory inventory) {
        manifest_.taken = inventory.taken;
        manifest_.version = request_.version;
        manifest_.encrypted = repository_.encrypts();
        manifest_.directories = std::move(inventory.directories);
        manifest_.problems = std::move(inventory.problems);
        progress_.files = inventory.files.size();
        for (const FileToSave& file : inventory.files) {
            ++progress_.file;
            TRY(go_on());
            manifest_.files.push_back(TRY_CTX(save(file), "back up {}", file.path));
            by_inode_[manifest_.files.back().stamp.inode] = manifest_.files.size() - 1;
        }
        manifest_.id = backup_id(manifest_.taken, manifest_.source);
        TRY(turn_.keep());
        TRY(repository_.put_manifest(manifest_));
        return std::move(manifest_);
    }

  private:
    Result<SavedFile> save(const FileToSave& file) {
        SavedFile saved{file.path, file.bytes, file.mode, {}, {}};
        if (file.contents) {
            saved.bytes = file.contents->size();
            if (saved.bytes > 0) saved.parts = {TRY(repository_.put_part(*file.contents))};
            return saved;
        }
        auto opened = TRY(open_first(file));
        saved.stamp = TRY(stamp_of(opened));
        if (is_unchanged(saved, file)) {
            saved.parts = before_[file.path]->parts;
            return saved;
        }
        // Lives of a lineage share segments of WAL.
        if (const SavedFile* same = same_file(saved, file)) {
            saved.parts = same->parts;
            return saved;
        }
        // Of a file that is written to behind what is taken the stamp says nothing.
        if (file.data_bytes < file.bytes) saved.stamp.changed = 0;
        std::string part;
        for (uint64_t at = 0; at < file.bytes; at += kPartBytes) {
            uint64_t size = std::min(kPartBytes, file.bytes - at);
            if (is_hole(opened, at, size) || at >= file.data_bytes) {
                saved.parts.emplace_back();
                continue;
            }
            part.assign(size, '\0');
            auto read = opened.read_some(part.data(), std::min(size, file.data_bytes - at), at);
            // One bad place of the disk is no reason to have no backup: it becomes a hole.
            if (!read && read.error().os_errno() == EIO) {
                manifest_.problems.push_back(fmt::format("{} bytes from byte {} of {}: {}", size,
                                                         at, file.path, read.error().message()));
                saved.stamp.changed = 0;
                saved.parts.emplace_back();
                continue;
            }
            TRY(std::move(read));
            saved.parts.push_back(
                is_zeros(part.data(), part.size()) ? "" : TRY(repository_.put_part(part)));
            TRY(go_on());
        }
        return saved;
    }

    // The same file, of which the same was taken before, and it is there.
    bool is_unchanged(const SavedFile& saved, const FileToSave& file) {
        auto found = before_.find(file.path);
        return found != before_.end() && saved.stamp.changed != 0 &&
               found->second->stamp == saved.stamp && found->second->bytes == saved.bytes &&
               file.data_bytes == file.bytes &&
               std::all_of(found->second->parts.begin(), found->second->parts.end(),
                           [&](const std::string& part) {
                               return part.empty() || repository_.has_part(part);
                           });
    }

    // What was saved already under another name.
    const SavedFile* same_file(const SavedFile& saved, const FileToSave& file) const {
        auto found = by_inode_.find(saved.stamp.inode);
        if (found == by_inode_.end() || file.data_bytes < file.bytes) return nullptr;
        const SavedFile& other = manifest_.files[found->second];
        bool same =
            saved.stamp.changed != 0 && other.stamp == saved.stamp && other.bytes == saved.bytes;
        return same ? &other : nullptr;
    }

    Result<void> go_on() {
        progress_.sent = repository_.sent();
        if (request_.progress) request_.progress(progress_);
        return turn_.keep();
    }

    Repository& repository_;
    Turn& turn_;
    const BackupRequest& request_;
    std::map<std::string, const SavedFile*> before_;
    std::map<uint64_t, size_t> by_inode_;  // of manifest_.files
    Manifest manifest_;
    BackupProgress progress_;
};

// Held while a backup of this data directory runs. The kernel lets go of it however it ends.
Result<sys::Descriptor> lock(const std::string& scratch) {
    std::string path = scratch + "/lock";
    sys::Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd.is_open()) return errno_error(errno, "open " + path);
    if (::flock(fd.fd(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK) return errno_error(errno, "lock " + path);
    return error(Code::unavailable, "another backup of this data directory is under way")
        .with_hint("wait for it, or end it: what it has sent is not sent again");
}

// Which data directory this is. A restored one is another: what the two write has the same names.
Result<std::string> source_id(const std::string& scratch) {
    std::string path = scratch + "/source";
    auto known = TRY(sys::read_small_file(path));
    if (known && known->size() == 16) return *known;
    std::string id = fmt::format("{:016x}", sys::real_random().number());
    TRY(sys::write_small_file(path, id, 0600));
    return id;
}

}  // namespace

Result<Manifest> run_backup(Repository& repository, const BackupRequest& request) {
    std::string scratch = request.data_directory + "/backup";
    TRY(sys::make_directory(sys::real_disk(), scratch));
    auto locked = TRY(lock(scratch));
    auto source = TRY(source_id(scratch));
    auto turn = repository.turn(sys::real_clock(), Turn::Kind::backup);
    TRY(turn->begin());
    TRY(repository.look());
    auto before = TRY(repository.newest_of(source));
    for (int attempt = 1;; ++attempt) {
        auto done = [&]() -> Result<Manifest> {
            auto inventory = TRY(take_inventory(request.data_directory, scratch, request.owner));
            return Run(repository, *turn, request, source, before).save(std::move(inventory));
        }();
        // A branch that is dropped meanwhile goes whatever is held; without it there is nothing
        // missing.
        bool again = !done && done.error().code() == Code::not_found && attempt < kAttempts;
        if (again) continue;
        if (!done && done.error().code() == Code::not_found)
            return error(Code::unavailable, "branches were dropped all the time: {}",
                         done.error().message())
                .with_hint("try again in a moment");
        TRY(sys::remove_tree(sys::real_disk(), scratch + "/meta.db"));
        return done;
    }
}

}  // namespace tarn::backup
