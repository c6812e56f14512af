#include "backup/saving.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"

namespace tarn::backup {

namespace {

// Changes that are as young as this may be followed by others with the same time.
constexpr int64_t kTooYoung = 2'000'000'000;
constexpr uint64_t kPiece = 8192;  // what a bad place of the disk costs

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

// Nothing was ever written there, or it was given back or packed: it reads as zeros, and need not
// be read.
bool is_hole(const sys::File& file, uint64_t at, uint64_t size) {
    off_t data = ::lseek(file.fd(), static_cast<off_t>(at), SEEK_DATA);
    return data < 0 ? errno == ENXIO : static_cast<uint64_t>(data) >= at + size;
}

}  // namespace

Saving::Saving(Repository& repository, const Manifest* before, std::function<Result<void>()> go_on)
    : repository_(repository), go_on_(std::move(go_on)) {
    if (!before) return;
    for (const SavedFile& file : before->files) before_[file.path] = &file;
}

Result<std::optional<SavedFile>> Saving::save(const FileToSave& file) {
    SavedFile saved{file.path, file.bytes, file.mode, {}, {}};
    if (file.contents) {
        saved.bytes = file.contents->size();
        if (saved.bytes > 0) saved.parts = {TRY(repository_.put_part(*file.contents))};
        return std::optional(std::move(saved));
    }
    auto opened = TRY(open_first(file));
    saved.stamp = TRY(stamp_of(opened));
    if (is_unchanged(saved, file)) {
        saved.parts = before_[file.path]->parts;
        return std::optional(std::move(saved));
    }
    // Lives of a lineage share segments of WAL.
    if (const SavedFile* same = same_file(saved, file)) {
        saved.parts = same->parts;
        return std::optional(std::move(saved));
    }
    // Of a file that is written to behind what is taken the stamp says nothing.
    if (file.data_bytes < file.bytes) saved.stamp.changed = 0;
    size_t before = problems.size();
    for (uint64_t at = 0; at < file.bytes; at += kPartBytes) {
        uint64_t size = std::min(kPartBytes, file.bytes - at);
        if (is_hole(opened, at, size) || at >= file.data_bytes) {
            saved.parts.emplace_back();
            continue;
        }
        std::string part = TRY(read_part(opened, file, at));
        saved.parts.push_back(is_zeros(part.data(), part.size()) ? ""
                                                                 : TRY(repository_.put_part(part)));
        TRY(go_on_());
    }
    bool whole = problems.size() == before;
    if (!whole) saved.stamp.changed = 0;
    if (!whole && !may_have_holes(file.path)) {
        problems.back() += "; it is not in the backup";
        return std::optional<SavedFile>();
    }
    by_inode_[saved.stamp.inode] = saved;
    return std::optional(std::move(saved));
}

// What cannot be read is zeros, and a problem.
Result<std::string> Saving::read_part(const sys::File& opened, const FileToSave& file,
                                      uint64_t at) {
    uint64_t size = std::min(kPartBytes, file.bytes - at);
    uint64_t known = std::min(size, file.data_bytes - at);
    std::string part(size, '\0');
    auto whole = opened.read_some(part.data(), known, at);
    if (whole) return part;
    if (whole.error().os_errno() != EIO) return std::move(whole).error();
    uint64_t lost = 0;
    for (uint64_t piece = 0; piece < known; piece += kPiece) {
        uint64_t length = std::min(kPiece, known - piece);
        auto read = opened.read_some(part.data() + piece, length, at + piece);
        if (read) continue;
        std::fill_n(part.begin() + static_cast<ptrdiff_t>(piece), length, '\0');
        lost += length;
    }
    if (lost > 0)
        problems.push_back(fmt::format("{} of {} bytes from byte {} of {}: {}", lost, size, at,
                                       file.path, whole.error().message()));
    return part;
}

// The same file, of which the same was taken before, and it is there.
bool Saving::is_unchanged(const SavedFile& saved, const FileToSave& file) {
    auto found = before_.find(file.path);
    return found != before_.end() && saved.stamp.changed != 0 &&
           found->second->stamp == saved.stamp && found->second->bytes == saved.bytes &&
           file.data_bytes == file.bytes &&
           std::all_of(
               found->second->parts.begin(), found->second->parts.end(),
               [&](const std::string& part) { return part.empty() || repository_.has_part(part); });
}

// What was saved already under another name.
const SavedFile* Saving::same_file(const SavedFile& saved, const FileToSave& file) const {
    auto found = by_inode_.find(saved.stamp.inode);
    if (found == by_inode_.end() || file.data_bytes < file.bytes) return nullptr;
    const SavedFile& other = found->second;
    bool same =
        saved.stamp.changed != 0 && other.stamp == saved.stamp && other.bytes == saved.bytes;
    return same ? &other : nullptr;
}

}  // namespace tarn::backup
