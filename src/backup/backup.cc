#include "backup/backup.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "backup/inventory.h"
#include "backup/saving.h"
#include "base/log.h"
#include "compute/files.h"
#include "sys/clock.h"
#include "sys/descriptor.h"
#include "sys/files.h"
#include "sys/randomness.h"
#include "sys/small_file.h"

namespace tarn::backup {

namespace {

constexpr int kAttempts = 5;

// From an inventory to a manifest in its place.
class Run {
  public:
    Run(Repository& repository, Turn& turn, const BackupRequest& request)
        : repository_(repository), turn_(turn), request_(request) {}

    Result<Manifest> save(Inventory inventory, std::string source, const Manifest* before) {
        Manifest manifest;
        manifest.source = std::move(source);
        manifest.taken = inventory.taken;
        manifest.version = request_.version;
        manifest.encrypted = repository_.encrypts();
        manifest.directories = std::move(inventory.directories);
        progress_.files = inventory.files.size();
        Saving saving(repository_, before, [this] { return go_on(); });
        saving.problems = std::move(inventory.problems);
        for (const FileToSave& file : inventory.files) {
            ++progress_.file;
            TRY(go_on());
            auto saved = TRY_CTX(saving.save(file), "back up {}", file.path);
            if (saved) manifest.files.push_back(std::move(*saved));
        }
        manifest.problems = std::move(saving.problems);
        manifest.id = backup_id(manifest.taken, manifest.source);
        TRY(turn_.keep());
        TRY(repository_.put_manifest(manifest));
        TRY(check_objects(manifest));
        return manifest;
    }

  private:
    // One that took this backup for dead may have pruned what it counted on.
    Result<void> check_objects(const Manifest& manifest) {
        if (!TRY(turn_.met_pruning())) return {};
        TRY(repository_.look());
        for (const SavedFile& file : manifest.files)
            for (const std::string& part : file.parts) {
                if (part.empty() || repository_.has_part(part)) continue;
                TRY(repository_.forget(manifest.id));
                return error(Code::unavailable, "{} was pruned meanwhile", repository_.place())
                    .with_hint("begin the backup again");
            }
        return {};
    }

    Result<void> go_on() {
        progress_.sent = repository_.sent();
        if (request_.progress) request_.progress(progress_);
        return turn_.keep();
    }

    Repository& repository_;
    Turn& turn_;
    const BackupRequest& request_;
    BackupProgress progress_;
};

// Ids begin with the time: 20261122T10...
bool same_hour(const std::string& id, const std::string& other) {
    constexpr size_t kHour = 11;
    return !id.empty() && id.substr(0, kHour) == other.substr(0, kHour);
}

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

// What a place looks like whose mount is gone, and a clock that was ahead.
Result<void> check_before(const Repository& repository, const BackupRequest& request,
                          const std::optional<Manifest>& before) {
    if (!request.replaces.empty() && !before)
        return error(Code::io_error, "the backups that were in {} are not there any more",
                     repository.place())
            .with_hint("look whether the right place is mounted there, then begin anew");
    if (before && before->taken > sys::real_clock().now())
        return error(Code::bad_request, "backup {} of this server is from the future", before->id)
            .with_hint("set the clock, or remove the object backups/" + before->id);
    return {};
}

}  // namespace

Result<Manifest> run_backup(Repository& repository, const BackupRequest& request) {
    std::string scratch = request.data_directory + "/backup";
    TRY(sys::make_directory(sys::real_disk(), scratch));
    auto locked = TRY(lock(scratch));
    auto source = TRY(source_id(scratch));
    TRY(compute::give_to_owner_of(request.data_directory, scratch));
    auto turn = repository.turn(sys::real_clock(), Turn::Kind::backup);
    TRY(turn->begin());
    TRY(repository.look());
    auto before = TRY(repository.newest_of(source));
    TRY(check_before(repository, request, before));
    for (int attempt = 1;; ++attempt) {
        auto done = [&]() -> Result<Manifest> {
            auto inventory = TRY(take_inventory(request.data_directory, scratch, request.owner));
            return Run(repository, *turn, request)
                .save(std::move(inventory), source, before ? &*before : nullptr);
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
        // What it held the new one holds too. Before the turn ends: a pruning may count on it then.
        if (done && done->problems.empty() && same_hour(request.replaces, done->id)) {
            auto gone = repository.forget(request.replaces);
            if (!gone) log::warn("backup: {}", gone.error().text());
        }
        return done;
    }
}

}  // namespace tarn::backup
