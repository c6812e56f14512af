#include "compute/set_aside.h"

#include <sstream>

#include "store/paths.h"
#include "sys/files.h"

namespace tarn::compute {

namespace {

constexpr std::string_view kMagic = "tarn set_aside 1";

std::string path_of(const store::Store& store, uint64_t lineage) {
    return fmt::format("{}/set_aside",
                       store::lineage_directory(store.root().c_str(), lineage).text);
}

}  // namespace

Result<std::optional<SetAside>> set_aside_of(const store::Store& store, uint64_t lineage) {
    std::string path = path_of(store, lineage);
    auto text = sys::read_file(store.disk(), path);
    if (!text && text.error().code() == Code::not_found) return std::optional<SetAside>();
    std::istringstream lines(TRY(std::move(text)));
    std::string magic, from, until;
    std::getline(lines, magic) && std::getline(lines, from) && std::getline(lines, until);
    auto begin = parse_rfc3339(from), end = parse_rfc3339(until);
    if (magic != kMagic || !begin || !end)
        return error(Code::data_loss, "{} does not say which times were set aside", path);
    return std::optional(SetAside{*begin, *end});
}

Result<void> write_set_aside(const store::Store& store, uint64_t lineage, const SetAside& times) {
    return sys::replace_durably(
        store.disk(), path_of(store, lineage),
        fmt::format("{}\n{}\n{}\n", kMagic, rfc3339(times.from), rfc3339(times.until)),
        sys::SyncSite::lineage_data, sys::SyncSite::lineage_directory);
}

}  // namespace tarn::compute
