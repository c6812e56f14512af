#include "backup/restore.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "base/bytes.h"
#include "compute/files.h"
#include "compute/layout.h"
#include "sys/files.h"

namespace tarn::backup {

namespace {

constexpr size_t kRun = 8192;

// The object is not what it was. Any other failure only says that it could not be fetched now.
bool is_damage(const Error& failure) {
    return failure.code() == Code::data_loss || failure.code() == Code::not_found;
}

// Pages and WAL are useful also with a hole in them: whoever reads one finds that a checksum is
// wrong. Everything else is read whole or not at all.
bool may_have_holes(const std::string& path) {
    auto name = std::filesystem::path(path).filename().string();
    return name.ends_with(".pages") || name.ends_with(".slots") ||
           path.find("/wal/") != path.npos || path.find("/wal_archive/") != path.npos;
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
            if (!contents && !is_damage(contents.error())) return contents;
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

Result<void> give_store(const std::string& root, const compute::ComputeUser& user) {
    if (!user.switches || ::access(root.c_str(), F_OK) != 0) return {};
    std::error_code failure;
    std::string path = root;
    for (std::filesystem::recursive_directory_iterator at(root, failure), end;;) {
        if (::lchown(path.c_str(), user.uid, user.gid) != 0)
            return errno_error(errno, fmt::format("give {} to user {}", path, user.name));
        if (failure || at == end) break;
        path = at->path().string();
        at.increment(failure);
    }
    if (failure) return errno_error(failure.value(), "walk " + root);
    return {};
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
    std::string id = request.backup.empty() ? TRY(repository.only_newest()) : request.backup;
    Restored restored{TRY(repository.manifest(id)), {}};
    std::string beside = target + ".restoring";
    TRY(sys::remove_tree(sys::real_disk(), beside));
    TRY(compute::make_directories(beside));
    auto filled = [&]() -> Result<void> {
        // Computes of an unprivileged user pass through it; what is inside has modes of its own.
        if (::chmod(beside.c_str(), 0755) != 0) return errno_error(errno, "open " + beside);
        Restoring restoring(repository, beside);
        size_t number = 0;
        for (const SavedFile& file : restored.manifest.files) {
            if (request.progress) request.progress(++number, restored.manifest.files.size());
            TRY_CTX(restoring.restore(file), "restore {}", file.path);
        }
        restored.lost = std::move(restoring.lost);
        for (const std::string& directory : restored.manifest.directories)
            TRY(compute::make_directories(beside + "/" + directory));
        TRY(give_store(compute::Layout(beside).store_root(), request.user));
        return put_in_place(beside, target);
    }();
    if (filled) return restored;
    (void)sys::remove_tree(sys::real_disk(), beside);  // the failure is what the caller must hear
    return std::move(filled).error();
}

Result<Restored> check_backup(Repository& repository, const std::string& id,
                              const std::function<void(size_t file, size_t files)>& progress) {
    Restored checked{TRY(repository.manifest(id)), {}};
    Restoring checking(repository, "");
    size_t number = 0;
    for (const SavedFile& file : checked.manifest.files) {
        if (progress) progress(++number, checked.manifest.files.size());
        TRY(checking.check(file));
    }
    checked.lost = std::move(checking.lost);
    return checked;
}

}  // namespace tarn::backup
