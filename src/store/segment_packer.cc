#include "store/segment_packer.h"

#include <fcntl.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "store/log_state.h"
#include "store/point_reader.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::store {

namespace {

constexpr int kLevel = 1;  // some 10 us a page; higher ones win nothing of 8 KiB

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

}  // namespace

Result<std::vector<PackedFile>> SegmentPacker::load() const {
    std::vector<PackedFile> files;
    for (uint32_t number : numbers_)
        files.push_back(TRY(open_packed(disk_, root_, log_, segment_, number)));
    return files;
}

// What is written anew is at most what is won.
bool SegmentPacker::is_worth_it(const std::vector<PackedFile>& files, const Uses& uses,
                                uint32_t least_pages) {
    if (files.size() > 1) return true;
    auto fresh = static_cast<uint64_t>(std::count(uses.begin(), uses.end(), Use::history));
    uint64_t kept = 0, gone = 0;
    for (const PackedFile& file : files)
        for (const PackedEntry& entry : file.entries) {
            Use use = uses[entry.place];
            (use == Use::none ? gone : kept) += entry.bytes;
            if (use == Use::history) --fresh;
        }
    bool wins_pages = fresh >= least_pages && fresh * kBlockBytes >= kept;
    return wins_pages || gone > kept / 2;
}

// What is not of a written slot with a page reads as nothing.
Result<std::vector<SlotHeader>> SegmentPacker::read_headers() const {
    std::vector<SlotHeader> headers(kSlotsPerSegment);
    sys::File file =
        TRY(sys::File::open(disk_, segment_path(root_, log_, segment_, true).text, O_RDONLY));
    TRY(file.read_some(headers.data(), headers.size() * sizeof(SlotHeader), 0));
    for (uint64_t place = 0; place < kSlotsPerSegment; ++place) {
        SlotHeader& header = headers[place];
        uint64_t slot = segment_ * kSlotsPerSegment + place;
        if (slot_state(header, log_, slot) != SlotState::written || !holds_page(header.kind))
            header = {};
    }
    return headers;
}

// Those that are still shown, but of the file `without`. Of two of a place the one that is whole; a
// damaged one is better than none, since it says what was lost.
Result<SegmentPacker::Packed> SegmentPacker::packed_pages(const std::vector<PackedFile>& files,
                                                          std::optional<size_t> without,
                                                          const Uses& uses,
                                                          const std::vector<SlotHeader>& headers,
                                                          const std::vector<bool>& holes) {
    Packed packed;
    auto unpacker = std::make_unique<Unpacker>();
    alignas(8) char page[kBlockBytes];
    for (size_t at = 0; at < files.size(); ++at)
        for (const PackedEntry& entry : files[at].entries) {
            if (at == without || uses[entry.place] == Use::none) continue;
            Page& known = packed[entry.place];
            if (known.whole) continue;
            std::string bytes(entry.bytes, '\0');
            auto read = files[at].file.read(bytes.data(), bytes.size(), entry.offset);
            // What cannot be read now may be read later: nothing is made of it meanwhile.
            if (!read.ok() && read.error().code() != Code::data_loss)
                return std::move(read).error();
            const SlotHeader& header = headers[entry.place];
            // Most pages of a segment that is packed again are such: unpacking each of them every
            // time would cost several times what the new ones do.
            bool is_only_copy = files.size() == 1 && entry.place < holes.size() &&
                                holes[entry.place] && entry.bytes > 0;
            bool whole =
                is_only_copy || (read.ok() && entry.bytes > 0 && header.kind != SlotKind::none &&
                                 unpacker->unpack(bytes.data(), bytes.size(), page) == 0 &&
                                 crc32c(0, page, kBlockBytes) == header.page_crc);
            if (whole || known.bytes.empty()) known = {std::move(bytes), whole};
        }
    return packed;
}

Result<void> SegmentPacker::add(Packed& packed, const Uses& uses,
                                const std::vector<SlotHeader>& headers, uint32_t& pages) const {
    std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    std::string path = segment_path(root_, log_, segment_, false).text;
    if (!context || !Unpacker::has_room())
        return error(Code::internal, "pack {}: no memory for the compressor", path);
    sys::File file = TRY(sys::File::open(disk_, path, O_RDONLY));
    alignas(8) char page[kBlockBytes], smaller[kMostPackedBytes];
    for (uint64_t at = 0; at < uses.size() && pages > 0; ++at) {
        auto place = static_cast<uint16_t>(at);
        auto known = packed.find(place);
        // One that was packed and is damaged there may be whole in its slot, after a crash.
        bool wanted = known == packed.end()
                          ? uses[at] == Use::history && headers[at].kind != SlotKind::none
                          : !known->second.whole && !known->second.bytes.empty();
        if (!wanted) continue;
        auto read = file.read(page, kBlockBytes, at * kBlockBytes);
        bool whole = read.ok() && crc32c(0, page, kBlockBytes) == headers[at].page_crc;
        if (known != packed.end() && !whole) continue;
        size_t size = whole ? ZSTD_compressCCtx(context.get(), smaller, sizeof smaller, page,
                                                kBlockBytes, kLevel)
                            : 0;
        // Damage stays in its place, for who looks for it.
        bool smaller_now = whole && ZSTD_isError(size) == 0;
        packed[place] = {std::string(smaller, smaller_now ? size : 0), smaller_now};
        --pages;
    }
    return {};
}

std::string SegmentPacker::encode(const Packed& packed) const {
    PackedHeader header{};
    std::memcpy(header.magic, kPackedMagic, sizeof kPackedMagic);
    header.version = kPackedVersion;
    header.lineage = log_.lineage;
    header.incarnation = log_.incarnation;
    header.segment = segment_;
    header.count = static_cast<uint32_t>(packed.size());
    header.total_bytes = sizeof header + packed.size() * sizeof(PackedEntry);
    std::vector<PackedEntry> entries;
    auto next = packed.begin();
    for (uint64_t group = 0; group < kPackedGroups; ++group) {
        header.before[group] = static_cast<uint16_t>(entries.size());
        for (; next != packed.end() && next->first / kPackedGroup == group; ++next) {
            const std::string& bytes = next->second.bytes;
            entries.push_back({next->first, static_cast<uint16_t>(bytes.size()),
                               static_cast<uint32_t>(header.total_bytes)});
            header.total_bytes += bytes.size();
        }
    }
    size_t entry_bytes = entries.size() * sizeof(PackedEntry);
    header.crc = header.expected_crc(entries.data(), entry_bytes);
    std::string file;
    file.reserve(header.total_bytes);
    file.append(reinterpret_cast<const char*>(&header), sizeof header);
    file.append(reinterpret_cast<const char*>(entries.data()), entry_bytes);
    for (const auto& [place, page] : packed) file.append(page.bytes);
    return file;
}

Result<void> SegmentPacker::remove(const std::vector<uint32_t>& numbers) const {
    for (uint32_t number : numbers)
        TRY(sys::remove_tree(disk_, packed_path(root_, log_, segment_, number).text));
    return {};
}

// The new one is durable before the old ones go.
Result<void> SegmentPacker::replace(const Packed& packed) {
    std::vector<uint32_t> old = std::exchange(numbers_, {});
    uint32_t number = 0;
    while (std::find(old.begin(), old.end(), number) != old.end()) ++number;
    if (!packed.empty() && number >= kPackedNumbers)
        return error(Code::data_loss, "pack {}: no two of its {} files make one",
                     packed_path(root_, log_, segment_, 0).text, old.size());
    if (!packed.empty())
        TRY(create_beside_log(disk_, root_, log_, packed_path(root_, log_, segment_, number).text,
                              encode(packed), sys::SyncSite::packed_data,
                              sys::SyncSite::packed_directory));
    return remove(old);
}

// A power loss may undo the removal of files whose pages another one has. They go again, and for
// good, before one more is made: or there would be ever more of them.
Result<void> SegmentPacker::drop_needless(std::vector<PackedFile>& files, const Uses& uses,
                                          const std::vector<SlotHeader>& headers) {
    std::vector<uint32_t> needless;
    for (size_t at = 0; at < files.size() && files.size() > 1;) {
        Packed elsewhere = TRY(packed_pages(files, at, uses, headers, {}));
        bool is_needless = std::all_of(
            files[at].entries.begin(), files[at].entries.end(), [&](const PackedEntry& entry) {
                auto found = elsewhere.find(entry.place);
                return uses[entry.place] == Use::none || entry.bytes == 0 ||
                       (found != elsewhere.end() && found->second.whole);
            });
        if (!is_needless) {
            ++at;
            continue;
        }
        needless.push_back(numbers_[at]);
        files.erase(files.begin() + static_cast<ptrdiff_t>(at));
        numbers_.erase(numbers_.begin() + static_cast<ptrdiff_t>(at));
    }
    if (needless.empty()) return {};
    TRY(remove(needless));
    return sync_log_directory(disk_, root_, log_);
}

Result<std::optional<std::vector<bool>>> SegmentPacker::run(const Uses& uses,
                                                            const std::vector<bool>& holes,
                                                            uint32_t least_pages, uint32_t& pages) {
    auto files = TRY(load());
    if (files.size() > 1) TRY(drop_needless(files, uses, TRY(read_headers())));
    if (!is_worth_it(files, uses, least_pages)) return std::optional<std::vector<bool>>();
    auto headers = TRY(read_headers());
    Packed packed = TRY(packed_pages(files, std::nullopt, uses, headers, holes));
    TRY(add(packed, uses, headers, pages));
    TRY(replace(packed));
    std::vector<bool> moved(kSlotsPerSegment);
    for (const auto& [place, page] : packed) moved[place] = page.whole;
    return std::optional(std::move(moved));
}

}  // namespace tarn::store
