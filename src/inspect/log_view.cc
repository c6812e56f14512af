// log_view.cc: segments of a log: slot headers, and pages beside them.

#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <vector>

#include "base/lsn.h"
#include "inspect/views.h"
#include "store/slot_scan.h"
#include "sys/files.h"

namespace tarn::inspect {

namespace {

std::string kind_text(store::SlotKind kind) {
    if (kind == store::SlotKind::page) return "page";
    if (kind == store::SlotKind::truncate) return "truncate mark";
    if (kind == store::SlotKind::copy) return "copy";
    if (kind == store::SlotKind::unused) return "unused";
    return fmt::format("kind {}", static_cast<int>(kind));
}

// The headers of a segment, whatever their bytes are.
struct Segment {
    store::LogId log;
    uint64_t first = 0;  // slot
    std::vector<store::SlotHeader> headers;
    uint64_t odd_bytes = 0;  // behind the last whole header

    store::SlotState state(size_t at) const {
        return store::slot_state(headers[at], log, first + at);
    }
};

Result<Segment> read_headers(const Target& target, const std::string& path) {
    Segment segment;
    auto file = TRY(sys::File::open(sys::real_disk(), path, O_RDONLY));
    uint64_t bytes = TRY(file.size());
    uint64_t most = store::kSlotsPerSegment * sizeof(store::SlotHeader);
    segment.headers.resize(std::min(bytes, most) / sizeof(store::SlotHeader));
    size_t wanted = segment.headers.size() * sizeof(store::SlotHeader);
    size_t got = TRY(file.read_some(segment.headers.data(), wanted, 0));
    segment.headers.resize(got / sizeof(store::SlotHeader));
    segment.odd_bytes = bytes > most ? bytes - most : bytes % sizeof(store::SlotHeader);
    // Outside a store, the first header that is good in itself says whose the log is.
    segment.first = target.number.value_or(0) * store::kSlotsPerSegment;
    if (target.log) segment.log = *target.log;
    for (size_t i = 0; !target.log && i < segment.headers.size(); ++i) {
        const store::SlotHeader& header = segment.headers[i];
        if (header.crc != header.expected_crc() || header.slot < i) continue;
        segment.log = {header.lineage, header.incarnation};
        if (!target.number) segment.first = header.slot - i;
        break;
    }
    return segment;
}

bool is_wanted(const store::SlotHeader& header, uint64_t slot, const Narrow& narrow) {
    return slot >= narrow.from && slot < narrow.to.value_or(UINT64_MAX) &&
           (!narrow.relation || header.file == *narrow.relation) &&
           (!narrow.block || header.block == *narrow.block);
}

Document slot_row(const Segment& segment, size_t at) {
    const store::SlotHeader& header = segment.headers[at];
    store::SlotState state = segment.state(at);
    if (state == store::SlotState::hole) return {{"slot", segment.first + at}, {"state", "hole"}};
    Document row{{"slot", segment.first + at},
                 {"state", state == store::SlotState::written ? kind_text(header.kind) : "DAMAGED"},
                 {"file", file_text(header.file)},
                 {"birth", header.birth},
                 {"block", header.block},
                 {"page_crc", fmt::format("{:08x}", header.page_crc)}};
    return row;
}

// A page with its header's opinion of it.
struct CheckedPage {
    bool gone = false;  // zeros, where something else was written
    bool good = false;
    Lsn lsn;
};

Result<CheckedPage> check_page(const sys::File& file, const store::SlotHeader& header, size_t at) {
    std::vector<char> page(store::kBlockBytes);
    size_t got = TRY(file.read_some(page.data(), page.size(), at * store::kBlockBytes));
    CheckedPage checked;
    checked.gone = std::all_of(page.begin(), page.end(), [](char c) { return c == 0; });
    checked.good = got == page.size() && crc32c(0, page.data(), page.size()) == header.page_crc;
    uint32_t high = 0, low = 0;  // PostgreSQL's pd_lsn
    std::memcpy(&high, page.data(), sizeof high);
    std::memcpy(&low, page.data() + sizeof high, sizeof low);
    checked.lsn = Lsn{uint64_t{high} << 32 | low};
    return checked;
}

}  // namespace

Result<Document> slots_view(const Target& target, const Narrow& narrow) {
    Segment segment = TRY(read_headers(target, target.path));
    std::map<std::string, uint64_t> counts;
    Document rows = Document::array(), damaged = Document::array();
    for (size_t i = 0; i < segment.headers.size(); ++i) {
        store::SlotState state = segment.state(i);
        bool hole = state == store::SlotState::hole, bad = state == store::SlotState::damaged;
        ++counts[hole ? "holes" : bad ? "damaged" : kind_text(segment.headers[i].kind)];
        if (bad && damaged.size() < narrow.limit)
            damaged.push_back(fmt::format("header of slot {} is damaged", segment.first + i));
        bool shown = !hole && is_wanted(segment.headers[i], segment.first + i, narrow);
        if (shown && rows.size() < narrow.limit) rows.push_back(slot_row(segment, i));
    }
    Document document{{"log", text_of(segment.log)},
                      {"first_slot", segment.first},
                      {"headers", segment.headers.size()},
                      {"counts", counts},
                      {"slots", std::move(rows)}};
    if (!damaged.empty()) document[kDamage] = std::move(damaged);
    if (segment.odd_bytes > 0)
        add_damage(document, fmt::format("{} bytes behind the last header", segment.odd_bytes));
    return document;
}

Result<Document> pages_view(const Target& target, const Narrow& narrow) {
    std::string slots = std::filesystem::path(target.path).replace_extension(".slots");
    auto headers = read_headers(target, slots);
    Document document{{"headers", slots}};
    if (!headers) {
        add_damage(document, headers.error().text());
        return document;
    }
    auto file = TRY(sys::File::open(sys::real_disk(), target.path, O_RDONLY));
    uint64_t good = 0, wrong = 0, gone = 0;
    Document rows = Document::array();
    for (size_t i = 0; i < headers->headers.size(); ++i) {
        const store::SlotHeader& header = headers->headers[i];
        if (headers->state(i) != store::SlotState::written ||
            header.kind == store::SlotKind::truncate)
            continue;
        if (!is_wanted(header, headers->first + i, narrow)) continue;
        CheckedPage page = TRY(check_page(file, header, i));
        ++(page.good ? good : page.gone ? gone : wrong);
        bool bad = !page.good && !page.gone;
        if (bad && wrong <= narrow.limit)
            add_damage(document,
                       fmt::format("page of slot {} ({} block {}) has another checksum "
                                   "than its header says",
                                   headers->first + i, file_text(header.file), header.block));
        if (rows.size() >= narrow.limit) continue;
        Document row = slot_row(*headers, i);
        row["page_lsn"] = page.lsn.text();
        row["bytes"] = page.good ? "good" : page.gone ? "packed or given back" : "DAMAGED";
        rows.push_back(std::move(row));
    }
    document["counts"] = {{"good", good}, {"packed_or_given_back", gone}, {"damaged", wrong}};
    document["pages"] = std::move(rows);
    return document;
}

}  // namespace tarn::inspect
