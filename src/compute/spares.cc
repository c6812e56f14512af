#include "compute/spares.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <vector>

#include "compute/pgdata.h"
#include "compute/template.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

constexpr size_t kMadePerMajor = 2;
constexpr size_t kKeptPerMajor = 8;

struct Spare {
    std::string name;  // "<major>-<files>-<process>-<number>"
    size_t files = 0;
};

std::string prefix(int major) {
    return fmt::format("{}-", major);
}

Result<std::vector<Spare>> list_spares(const std::string& spares, int major) {
    std::vector<Spare> found;
    std::string start = prefix(major);
    for (const auto& name : TRY(sys::list_names_if_any(sys::real_disk(), spares))) {
        if (!name.starts_with(start)) continue;
        Spare spare{name};
        std::from_chars(name.data() + start.size(), name.data() + name.size(), spare.files);
        found.push_back(std::move(spare));
    }
    return found;
}

size_t count_files(const std::string& pgdata) {
    namespace fs = std::filesystem;
    std::error_code failure;
    size_t files = 0;
    for (fs::recursive_directory_iterator at(pgdata, failure), end; !failure && at != end;
         at.increment(failure))
        if (!at->is_directory(failure)) ++files;
    return files;
}

bool rename_to_spare(const std::string& spares, int major, const std::string& from) {
    static std::atomic<unsigned> made = 0;
    auto name = fmt::format("{}/{}{}-{}-{}", spares, prefix(major), count_files(from), ::getpid(),
                            made.fetch_add(1));
    return ::rename(from.c_str(), name.c_str()) == 0;
}

}  // namespace

bool take_spare(const std::string& spares, int major, size_t files, const std::string& pgdata) {
    auto found = list_spares(spares, major);
    if (!found) return false;
    auto distance = [files](const Spare& spare) {
        return spare.files > files ? spare.files - files : files - spare.files;
    };
    std::sort(found->begin(), found->end(), [&](const Spare& one, const Spare& other) {
        return distance(one) < distance(other);
    });
    for (const auto& spare : *found)
        if (::rename((spares + "/" + spare.name).c_str(), pgdata.c_str()) == 0) return true;
    return false;
}

bool keep_as_spare(const std::string& spares, int major, const std::string& pgdata) {
    auto found = list_spares(spares, major);
    return found && found->size() < kKeptPerMajor && rename_to_spare(spares, major, pgdata);
}

Result<void> fill_spares(const store::Store& store, const std::string& spares, int major) {
    static std::mutex one_at_a_time;
    std::lock_guard held(one_at_a_time);
    auto point = store.newest_restore_point(template_lineage(major));
    if (!point) return {};  // no project of that major yet
    while (TRY(list_spares(spares, major)).size() < kMadePerMajor) {
        auto making = fmt::format("{}/making-{}", spares, major);
        TRY(materialise(making, "nowhere", major, *point));
        if (!rename_to_spare(spares, major, making))
            return errno_error(errno, fmt::format("make {} a spare", making));
    }
    return {};
}

}  // namespace tarn::compute
