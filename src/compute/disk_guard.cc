#include "compute/disk_guard.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/log.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

using std::chrono::milliseconds;

// More than one machine's computes write in a second. From it follows when to look again, so that
// the limit is not passed by much.
constexpr uint64_t kFastest = uint64_t{1} << 30;
constexpr milliseconds kSoonest{100};
constexpr milliseconds kLatest{5'000};
constexpr milliseconds kWhileCritical{500};

constexpr std::string_view kReadOnly =
    "# In force while the disk has too little room (disk_guard.h).\n"
    "default_transaction_read_only = on\n"
    "autovacuum = off\n";

// Who began to write before, or has said READ WRITE himself. Nobody's data are lost: what was not
// acknowledged is rolled back.
constexpr const char* kCancelWriters =
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
    "(backend_type = 'autovacuum worker' OR (backend_type = 'client backend' AND state = 'active' "
    "AND backend_xid IS NOT NULL))";

milliseconds until_next_look(const DiskSpace& space) {
    if (space.state == DiskState::critical) return kWhileCritical;
    uint64_t room = space.free - std::min(space.free, space.critical);
    return std::clamp(milliseconds(room * 1000 / kFastest), kSoonest, kLatest);
}

}  // namespace

DiskGuard::DiskGuard(const SuperviseSpec& spec)
    : watch_(spec.store_root, spec.disk),
      on_(spec.read_only_conf()),
      off_(on_ + ".off"),
      socket_directory_(spec.run_directory) {}

Result<void> DiskGuard::prepare() {
    for (const auto& path : {on_, off_})
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            return errno_error(errno, fmt::format("remove {}", path));
    space_ = watch_.look();
    if (space_.critical == 0) return {};
    reads_only_ = space_.state == DiskState::critical;
    deadline_ = Clock::now() + until_next_look(space_);
    if (reads_only_) log::warn("compute: it only reads: {}", free_text(space_));
    return sys::write_scratch(sys::real_disk(), reads_only_ ? on_ : off_, kReadOnly);
}

std::string DiskGuard::reason() const {
    if (!reads_only_) return "";
    return fmt::format("read-only: the disk is nearly full, {}", free_text(space_));
}

void DiskGuard::add_descriptor(std::vector<pollfd>& polled) const {
    if (pending_) polled.push_back({pending_->descriptor(), pending_->events(), 0});
}

void DiskGuard::stop() {
    pending_.reset();
    deadline_.reset();
}

void DiskGuard::go_on_asking() {
    if (!pending_) return;
    auto done = pending_->step();
    if (!done) log::warn("compute: while the disk is nearly full: {}", done.error().text());
    if (!done || *done) pending_.reset();
}

bool DiskGuard::step() {
    go_on_asking();
    if (!deadline_ || Clock::now() < *deadline_) return false;
    space_ = watch_.look();
    deadline_ = Clock::now() + until_next_look(space_);
    bool turned = reads_only_ != (space_.state == DiskState::critical) && turn();
    if (turned && reads_only_) ask("CHECKPOINT");  // so that a start has little to replay
    // What short transactions leave is for checkpoints.
    if (reads_only_ && !turned && space_.free < space_.critical / 2) ask(kCancelWriters);
    return turned;
}

bool DiskGuard::turn() {
    const auto& [from, to] = reads_only_ ? std::pair(on_, off_) : std::pair(off_, on_);
    if (std::rename(from.c_str(), to.c_str()) != 0) {
        log::error("compute: {}",
                   errno_error(errno, fmt::format("rename {} to {}", from, to)).text());
        return false;
    }
    reads_only_ = !reads_only_;
    log::warn("compute: {}: {}", reads_only_ ? "it only reads from now on" : "it writes again",
              free_text(space_));
    return true;
}

void DiskGuard::ask(const char* statement) {
    if (pending_) return;
    pending_.emplace(socket_directory_, "postgres", statement);
    go_on_asking();
}

}  // namespace tarn::compute
