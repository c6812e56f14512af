#include "compute/spares.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <mutex>

#include "compute/files.h"
#include "compute/pgdata.h"
#include "compute/template.h"

namespace tarn::compute {

namespace {

constexpr size_t kSparesPerMajor = 2;

std::string prefix(int major) {
    return fmt::format("{}-", major);
}

}  // namespace

bool take_spare(const std::string& spares, int major, const std::string& pgdata) {
    auto names = list_directory(spares);
    if (!names) return false;
    for (const auto& name : *names)
        if (name.starts_with(prefix(major)) &&
            ::rename((spares + "/" + name).c_str(), pgdata.c_str()) == 0)
            return true;
    return false;
}

Result<void> fill_spares(const store::Store& store, const std::string& spares, int major) {
    static std::mutex one_at_a_time;
    static unsigned made = 0;
    std::lock_guard held(one_at_a_time);
    auto point = store.newest_restore_point(template_lineage(major));
    if (!point) return {};  // no project of that major yet
    for (;;) {
        size_t there = 0;
        for (const auto& name : TRY(list_directory(spares)))
            if (name.starts_with(prefix(major))) ++there;
        if (there >= kSparesPerMajor) return {};
        auto making = fmt::format("{}/making-{}", spares, major);
        TRY(materialise(making, "nowhere", major, *point));
        auto ready = fmt::format("{}/{}{}-{}", spares, prefix(major), ::getpid(), made++);
        if (::rename(making.c_str(), ready.c_str()) != 0)
            return errno_error(errno, fmt::format("name spare {}", ready));
    }
}

}  // namespace tarn::compute
