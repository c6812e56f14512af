#include "backup/restore.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "base/bytes.h"
#include "compute/files.h"
#include "compute/layout.h"
#include "sys/clock.h"
#include "sys/descriptor.h"
#include "sys/files.h"

namespace tarn::backup {

namespace {

constexpr size_t kRun = 8192;

// The object is not what it was. Any other failure only says that it could not be fetched now.
bool is_lost(const Error& failure) {
    return failure.code() == Code::data_loss || failure.code() == Code::not_found;
}

class Restoring {
  public:
    Restoring(Repository& repository, std::string target)
        : repository_(repository), target_(std::move(target)) {}

    Result<void> restore(const SavedFile& file) {
        std::string path = target_ + "/" + file.path;
        TRY(make_parent(path));
        auto made = TRY(sys::File::open(sys::real_disk(), path, O_WRONLY | O_CREAT | O_EXCL));
        size_t before = lost.size();
        uint64_t at = 0;
        for (const std::string& part : file.parts) {
            uint64_t size = std::min(kPartBytes, file.bytes - at);
            if (!part.empty()) TRY(restore_part(file, made, part, at, size));
            at += size;
        }
        if (int result = sys::real_disk().truncate(made.fd(), static_cast<int64_t>(file.bytes));
            result < 0)
            return errno_error(-result, "set the length of " + path);
        if (::fchmod(made.fd(), file.mode & 0777) != 0)
            return errno_error(errno, "set the mode of " + path);
        if (lost.size() > before && !may_have_holes(file.path)) {
            sys::real_disk().unlink(path.c_str());
            lost.resize(before + 1);
            lost.back().whole_file = true;
        }
        return {};
    }

    // Only reads.
    Result<void> check(const SavedFile& file) {
        uint64_t at = 0;
        for (const std::string& part : file.parts) {
            uint64_t size = std::min(kPartBytes, file.bytes - at);
            if (!part.empty()) TRY(get(file, part, at, size));
            at += size;
        }
        return {};
    }

    std::vector<Lost> lost;

  private:
    Result<void> make_parent(const std::string& path) {
        return compute::make_directories(std::filesystem::path(path).parent_path());
    }

    // "" if it is lost, and noted.
    Result<std::string> get(const SavedFile& file, const std::string& part, uint64_t at,
                            uint64_t size) {
        auto known = lost_parts_.find(part);
        if (known == lost_parts_.end()) {
            auto contents = repository_.get_part(part);
            if (contents && contents->size() == size) return contents;
            if (!contents && !is_lost(contents.error())) return contents;
            std::string why = contents ? fmt::format("object {} has another length", part)
                                       : contents.error().message();
            known = lost_parts_.emplace(part, std::move(why)).first;
        }
        lost.push_back({file.path, at, size, false, known->second});
        return std::string();
    }

    Result<void> restore_part(const SavedFile& file, const sys::File& made, const std::string& part,
                              uint64_t at, uint64_t size) {
        std::string contents = TRY(get(file, part, at, size));
        // What is zeros stays a hole.
        for (size_t begin = 0; begin < contents.size(); begin += kRun) {
            size_t length = std::min(kRun, contents.size() - begin);
            if (!is_zeros(contents.data() + begin, length))
                TRY(made.write(contents.data() + begin, length, at + begin));
        }
        return {};
    }

    Repository& repository_;
    std::string target_;
    std::map<std::string, std::string> lost_parts_;  // and why
};

Result<void> check_target(const std::string& target) {
    auto names = sys::list_names(sys::real_disk(), target);
    if (!names && names.error().code() == Code::not_found) return {};
    if (TRY(std::move(names)).empty()) return {};
    return error(Code::bad_request, "{} is not empty", target)
        .with_hint("name a directory that is empty or not there; nothing is restored over another");
}

// All of a file system, because it is one call for a hundred thousand files.
Result<void> sync_all(const std::string& directory) {
    int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno_error(errno, "open " + directory);
    int failure = ::syncfs(fd) == 0 ? 0 : errno;
    ::close(fd);
    if (failure != 0) return errno_error(failure, "make what was restored durable");
    return {};
}

// What is held while a backup is read: no pruning begins meanwhile.
struct Reading {
    std::unique_ptr<Turn> turn;  // none where nothing can be written
    Manifest manifest;
    Result<void> go_on() { return turn ? turn->keep() : Result<void>(); }
};

Result<Reading> begin_reading(Repository& repository, const std::string& wanted) {
    std::string id = wanted.empty() ? TRY(repository.only_newest()) : wanted;
    TRY(repository.manifest(id));  // before anything is made in a place that is none
    auto turn = repository.turn(sys::real_clock(), Turn::Kind::reader);
    auto begun = turn->begin();
    bool read_only = !begun && (begun.error().code() == Code::permission_denied ||
                                begun.error().os_errno() == EROFS);
    if (!begun && !read_only) return std::move(begun).error();
    if (read_only) turn.reset();
    return Reading{std::move(turn), TRY(repository.manifest(id))};
}

// Makes the directory, empty, for this process alone: its lock is held as long as the descriptor.
Result<sys::Descriptor> claim(const std::string& directory) {
    TRY(compute::make_directories(directory));
    sys::Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.is_open()) return errno_error(errno, "open " + directory);
    struct stat mine {
    }, there{};
    bool taken = ::flock(fd.fd(), LOCK_EX | LOCK_NB) != 0;
    // Whoever held it may have given it its last name meanwhile.
    bool moved = !taken && (::fstat(fd.fd(), &mine) != 0 ||
                            ::stat(directory.c_str(), &there) != 0 || mine.st_ino != there.st_ino);
    if (taken || moved)
        return error(Code::unavailable, "another restore is at work in {}", directory)
            .with_hint("wait for it, or end it");
    for (const std::string& name : TRY(sys::list_names(sys::real_disk(), directory)))
        TRY(sys::remove_tree(sys::real_disk(), directory + "/" + name));
    return fd;
}

Result<void> put_in_place(const std::string& made, const std::string& target) {
    TRY(sync_all(made));
    if (int result = sys::real_disk().rename(made.c_str(), target.c_str()); result < 0)
        return std::move(errno_error(-result, fmt::format("rename {} to {}", made, target)))
            .with_hint(
                "a directory that something is mounted on has no other name: restore below it");
    return sync_all(std::filesystem::path(target).parent_path());
}

}  // namespace

Result<Restored> run_restore(Repository& repository, const RestoreRequest& request) {
    const std::string& target = request.data_directory;
    TRY(check_target(target));
    auto reading = TRY(begin_reading(repository, request.backup));
    std::string beside = target + ".restoring";
    auto claimed = TRY(claim(beside));
    Restored restored{std::move(reading.manifest), {}};
    auto filled = [&]() -> Result<void> {
        // Computes of an unprivileged user pass through it; what is inside has modes of its own.
        if (::chmod(beside.c_str(), 0755) != 0) return errno_error(errno, "open " + beside);
        Restoring restoring(repository, beside);
        size_t number = 0;
        for (const SavedFile& file : restored.manifest.files) {
            if (request.progress) request.progress(++number, restored.manifest.files.size());
            TRY_CTX(restoring.restore(file), "restore {}", file.path);
            TRY(reading.go_on());
        }
        restored.lost = std::move(restoring.lost);
        for (const std::string& directory : restored.manifest.directories)
            TRY(compute::make_directories(beside + "/" + directory));
        auto store = compute::Layout(beside).store_root();
        if (compute::exists(store)) TRY(compute::give_away(store, request.user));
        return put_in_place(beside, target);
    }();
    if (filled) return restored;
    (void)sys::remove_tree(sys::real_disk(), beside);  // the failure is what the caller must hear
    return std::move(filled).error();
}

Result<Restored> check_backup(Repository& repository, const std::string& id,
                              const std::function<void(size_t file, size_t files)>& progress) {
    auto reading = TRY(begin_reading(repository, id));
    Restored checked{std::move(reading.manifest), {}};
    Restoring checking(repository, "");
    size_t number = 0;
    for (const SavedFile& file : checked.manifest.files) {
        if (progress) progress(++number, checked.manifest.files.size());
        TRY(checking.check(file));
        TRY(reading.go_on());
    }
    checked.lost = std::move(checking.lost);
    return checked;
}

}  // namespace tarn::backup
