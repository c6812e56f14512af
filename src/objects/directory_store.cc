#include "objects/directory_store.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "base/number.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/randomness.h"

namespace tarn::objects {

namespace {

// With the directory before it, as "directory/" and "name".
std::pair<std::string, std::string> split(const std::string& path) {
    auto slash = path.rfind('/') + 1;
    return {path.substr(0, slash), path.substr(slash)};
}

// ".<name>.<when it was begun, in microseconds>.<a random number>", both of 16 hexadecimal digits.
std::string name_beside(const std::string& last) {
    return fmt::format(".{}.{:016x}.{:016x}", last,
                       sys::real_clock().now().time_since_epoch().count(),
                       sys::real_random().number());
}

// Takes ".<16 hexadecimal digits>" off the end of a name; nothing if it does not end so.
std::optional<uint64_t> take_number(std::string_view& name) {
    constexpr size_t kDigits = 16;
    if (name.size() <= kDigits + 1 || name[name.size() - kDigits - 1] != '.') return std::nullopt;
    auto number = parse_number<uint64_t>(name.substr(name.size() - kDigits), 16);
    if (number) name.remove_suffix(kDigits + 1);
    return number;
}

// When a file beside an object was begun; nothing if it is none. Those of an earlier version do not
// say it: they are old.
std::optional<Time> begun(std::string_view name) {
    if (!name.starts_with('.') || !take_number(name)) return std::nullopt;
    Time time{Span{static_cast<int64_t>(take_number(name).value_or(0))}};
    return check_object_name(std::string(name.substr(1))) ? std::optional(time) : std::nullopt;
}

Error too_large(const std::string& name, uint64_t bytes) {
    return error(Code::invalid_argument, "object {} has {} bytes, more than {}", name, bytes,
                 kObjectBytesMax);
}

}  // namespace

// A directory that is there may be one whose maker died before its name was durable.
Result<void> DirectoryStore::prepare(const std::string& directory) {
    if (prepared_.contains(directory)) return {};
    TRY(sys::make_directories(*disk_, directory, sys::SyncSite::object_directory));
    std::string above = split(directory).first;
    if (above.size() > 1) above.pop_back();
    TRY(sys::sync_directory(*disk_, above, sys::SyncSite::object_directory));
    if (directory != directory_) TRY(prepare(above));
    prepared_.insert(directory);
    return {};
}

Result<void> DirectoryStore::put(const std::string& name, std::string_view bytes) {
    TRY(check_object_name(name));
    if (bytes.size() > kObjectBytesMax) return too_large(name, bytes.size());
    std::string path = directory_ + "/" + name;
    auto [directory, last] = split(path);
    directory.pop_back();
    TRY(prepare(directory));
    // Nobody else's: two may put one object at once.
    std::string beside = directory + "/" + name_beside(last);
    auto written = [&]() -> Result<void> {
        auto file = TRY(sys::File::open(*disk_, beside, O_WRONLY | O_CREAT | O_EXCL));
        TRY(file.write(bytes.data(), bytes.size(), 0));
        TRY(file.sync(sys::SyncSite::object_data));
        if (int result = disk_->rename(beside.c_str(), path.c_str()); result < 0)
            return errno_error(-result, fmt::format("rename {} to {}", beside, path));
        return sys::sync_directory(*disk_, directory, sys::SyncSite::object_directory);
    }();
    if (!written) disk_->unlink(beside.c_str());
    return written;
}

Result<std::string> DirectoryStore::get(const std::string& name) {
    TRY(check_object_name(name));
    auto file = TRY(sys::File::open(*disk_, directory_ + "/" + name, O_RDONLY));
    uint64_t size = TRY(file.size());
    if (size > kObjectBytesMax) return too_large(name, size);
    std::string bytes(size, '\0');
    TRY(file.read(bytes.data(), bytes.size(), 0));
    return bytes;
}

// `path` is "" or ends in '/'.
Result<void> DirectoryStore::list_below(const std::string& path, const std::string& prefix,
                                        std::vector<ObjectInfo>& found) {
    std::string directory = directory_ + "/" + path;
    directory.pop_back();
    for (const std::string& entry : TRY(sys::list_names_if_any(*disk_, directory))) {
        if (entry.starts_with('.')) continue;
        std::string name = path + entry;
        bool leads_there = prefix.starts_with(name + "/");
        if (!name.starts_with(prefix) && !leads_there) continue;
        // Removed meanwhile, or what could not be opened: only the first is nothing.
        auto file = sys::File::open(*disk_, directory_ + "/" + name, O_RDONLY);
        if (!file && file.error().code() == Code::not_found) continue;
        auto opened = TRY(std::move(file));
        auto below = sys::list_names(*disk_, directory_ + "/" + name);
        if (below) {
            TRY(list_below(name + "/", prefix, found));
        } else if (below.error().os_errno() != ENOTDIR) {
            return std::move(below).error();
        } else if (name.starts_with(prefix)) {
            found.push_back({name, TRY(opened.size())});
        }
    }
    return {};
}

Result<std::vector<ObjectInfo>> DirectoryStore::list(const std::string& prefix) {
    TRY(check_object_prefix(prefix));
    std::vector<ObjectInfo> found;
    TRY(list_below("", prefix, found));
    std::sort(found.begin(), found.end(),
              [](const ObjectInfo& a, const ObjectInfo& b) { return a.name < b.name; });
    return found;
}

Result<void> DirectoryStore::remove(const std::string& name) {
    TRY(check_object_name(name));
    std::string path = directory_ + "/" + name;
    int result = disk_->unlink(path.c_str());
    if (result < 0 && result != -ENOENT)
        return errno_error(-result, fmt::format("remove {}", path));
    if (result < 0) return {};
    // What is removed next may be what only this one needed.
    std::string directory = split(path).first;
    directory.pop_back();
    return sys::sync_directory(*disk_, directory, sys::SyncSite::object_directory);
}

Result<size_t> DirectoryStore::remove_leftovers(const std::string& folder, Time before) {
    return remove_leftovers_below(directory_ + "/" + folder, before);
}

Result<size_t> DirectoryStore::remove_leftovers_below(const std::string& directory, Time before) {
    size_t removed = 0;
    for (const std::string& name : TRY(sys::list_names_if_any(*disk_, directory))) {
        std::string path = directory + "/" + name;
        if (!name.starts_with('.')) {
            auto below = remove_leftovers_below(path, before);
            if (!below && below.error().os_errno() == ENOTDIR) continue;
            removed += TRY(std::move(below));
            continue;
        }
        auto time = begun(name);
        if (!time || *time >= before) continue;
        if (int result = disk_->unlink(path.c_str()); result < 0 && result != -ENOENT)
            return errno_error(-result, fmt::format("remove {}", path));
        ++removed;
    }
    return removed;
}

}  // namespace tarn::objects
