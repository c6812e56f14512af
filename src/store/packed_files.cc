#include "store/packed_files.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

namespace tarn::store {

Result<PackedNumbers> packed_numbers(sys::Disk& disk, const char* root, LogId log) {
    PackedNumbers numbers;
    for (const std::string& name :
         TRY(sys::list_names(disk, incarnation_directory(root, log).text))) {
        uint64_t segment = 0;
        uint32_t number = 0;
        if (is_packed_name(name.c_str(), &segment, &number)) numbers[segment].push_back(number);
    }
    return numbers;
}

Result<PackedFile> open_packed(sys::Disk& disk, const char* root, LogId log, uint64_t segment,
                               uint32_t number) {
    sys::File file =
        TRY(sys::File::open(disk, packed_path(root, log, segment, number).text, O_RDONLY));
    auto damaged = [&](const char* what) {
        return error(Code::data_loss, "packed pages {}: {}", file.path(), what)
            .with_hint(
                "the file is damaged; an older copy goes beside it, under a free number "
                "(docs/operate/verify.md)");
    };
    PackedHeader header;
    TRY(file.read(&header, sizeof header, 0));
    uint64_t size = TRY(file.size());
    if (!is_packed_header(header, log, segment, size))
        return damaged("this is not the header of such a file");
    std::vector<PackedEntry> entries(header.count);
    size_t bytes = entries.size() * sizeof(PackedEntry);
    TRY(file.read(entries.data(), bytes, sizeof header));
    if (header.expected_crc(entries.data(), bytes) != header.crc)
        return damaged("the checksum of its entries is wrong");
    if (std::any_of(entries.begin(), entries.end(),
                    [](const PackedEntry& entry) { return entry.place >= kSlotsPerSegment; }))
        return damaged("an entry is of no slot of the segment");
    return PackedFile{std::move(file), std::move(entries)};
}

PagePlace place_of(sys::Disk& disk, const char* root, LogId log, uint64_t slot) {
    uint64_t segment = slot / kSlotsPerSegment, place = slot % kSlotsPerSegment;
    std::optional<PagePlace> damaged;
    for (uint32_t number = 0; number < kPackedNumbers; ++number) {
        std::string path = packed_path(root, log, segment, number).text;
        auto packed = open_packed(disk, root, log, segment, number);
        if (!packed && packed.error().code() == Code::data_loss) damaged = PagePlace{path};
        if (!packed) continue;
        for (const PackedEntry& entry : packed->entries)
            if (entry.place == place && entry.bytes > 0)
                return PagePlace{path, entry.offset, entry.bytes};
    }
    if (damaged) return *damaged;
    return PagePlace{segment_path(root, log, segment, false).text, place * kBlockBytes};
}

}  // namespace tarn::store
