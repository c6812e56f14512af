// The byte tables of docs/formats say what the code does: every row is a field, every field a row.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "store/index_reader.h"
#include "store/packed_reader.h"
#include "store/restore_point_format.h"

namespace tarn::store {
namespace {

struct Place {
    size_t offset, bytes;
    bool operator==(const Place&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Place& place) {
    return out << place.bytes << " bytes at " << place.offset;
}

using Fields = std::map<std::string, Place>;

// Of a struct that may have atomics in it; such are laid out like any other here.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
#define FIELD(type, name)                                                   \
    {                                                                       \
#name, {                                                            \
            offsetof(type, name), sizeof(static_cast<type*>(nullptr)->name) \
        }                                                                   \
    }

const std::map<std::string, Fields> kStructs = {
    {"SlotHeader",
     {FIELD(SlotHeader, crc), FIELD(SlotHeader, page_crc), FIELD(SlotHeader, slot),
      FIELD(SlotHeader, lineage), FIELD(SlotHeader, incarnation), FIELD(SlotHeader, kind),
      FIELD(SlotHeader, reserved), FIELD(SlotHeader, file), FIELD(SlotHeader, birth),
      FIELD(SlotHeader, block), FIELD(SlotHeader, copied_slot)}},
    {"IndexFileHeader",
     {FIELD(IndexFileHeader, magic), FIELD(IndexFileHeader, version), FIELD(IndexFileHeader, crc),
      FIELD(IndexFileHeader, file_count), FIELD(IndexFileHeader, entry_count),
      FIELD(IndexFileHeader, source_count), FIELD(IndexFileHeader, reserved),
      FIELD(IndexFileHeader, total_bytes)}},
    {"LogId", {FIELD(LogId, lineage), FIELD(LogId, incarnation)}},
    {"IndexFile",
     {FIELD(IndexFile, id), FIELD(IndexFile, birth), FIELD(IndexFile, first_entry),
      FIELD(IndexFile, entries), FIELD(IndexFile, cut)}},
    {"IndexEntry",
     {FIELD(IndexEntry, block), FIELD(IndexEntry, page_crc), FIELD(IndexEntry, location)}},
    {"PackedHeader",
     {FIELD(PackedHeader, magic), FIELD(PackedHeader, version), FIELD(PackedHeader, crc),
      FIELD(PackedHeader, lineage), FIELD(PackedHeader, incarnation), FIELD(PackedHeader, count),
      FIELD(PackedHeader, segment), FIELD(PackedHeader, total_bytes), FIELD(PackedHeader, before)}},
    {"PackedEntry",
     {FIELD(PackedEntry, place), FIELD(PackedEntry, bytes), FIELD(PackedEntry, offset)}},
    {"RecordPrefix",
     {FIELD(RecordPrefix, magic), FIELD(RecordPrefix, version), FIELD(RecordPrefix, crc),
      FIELD(RecordPrefix, total_bytes)}},
    {"RestorePointHeader",
     {FIELD(RestorePointHeader, prefix), FIELD(RestorePointHeader, lineage),
      FIELD(RestorePointHeader, incarnation), FIELD(RestorePointHeader, number),
      FIELD(RestorePointHeader, seal_slot), FIELD(RestorePointHeader, next_birth),
      FIELD(RestorePointHeader, hole_count), FIELD(RestorePointHeader, file_count),
      FIELD(RestorePointHeader, index_count), FIELD(RestorePointHeader, attachment_count)}},
    {"IndexRef", {FIELD(IndexRef, lineage), FIELD(IndexRef, incarnation), FIELD(IndexRef, number)}},
    {"FileRecordBytes",
     {FIELD(FileRecordBytes, id_hi), FIELD(FileRecordBytes, id_lo), FIELD(FileRecordBytes, birth),
      FIELD(FileRecordBytes, length), FIELD(FileRecordBytes, reserved)}},
    {"AttachmentHeader",
     {FIELD(AttachmentHeader, name_bytes), FIELD(AttachmentHeader, reserved),
      FIELD(AttachmentHeader, value_bytes)}},
    {"LineageHeader",
     {FIELD(LineageHeader, prefix), FIELD(LineageHeader, lineage),
      FIELD(LineageHeader, incarnation), FIELD(LineageHeader, attachment_count),
      FIELD(LineageHeader, origin_lineage), FIELD(LineageHeader, origin_incarnation),
      FIELD(LineageHeader, origin_number)}},
    {"MapHeader",
     {FIELD(MapHeader, magic), FIELD(MapHeader, version), FIELD(MapHeader, header_bytes),
      FIELD(MapHeader, lineage), FIELD(MapHeader, incarnation), FIELD(MapHeader, state),
      FIELD(MapHeader, arena_next), FIELD(MapHeader, arena_allocated), FIELD(MapHeader, next_slot),
      FIELD(MapHeader, next_birth), FIELD(MapHeader, completed_ticks),
      FIELD(MapHeader, durable_ticks), FIELD(MapHeader, allocated_slots),
      FIELD(MapHeader, directory_synced_segments), FIELD(MapHeader, segments)}},
    {"SegmentSync", {FIELD(SegmentSync, written), FIELD(SegmentSync, synced)}},
    {"FileEntry",
     {FIELD(FileEntry, id), FIELD(FileEntry, birth), FIELD(FileEntry, last_tick),
      FIELD(FileEntry, length), FIELD(FileEntry, inherited), FIELD(FileEntry, state),
      FIELD(FileEntry, next), FIELD(FileEntry, roots), FIELD(FileEntry, reserved)}},
};

const std::map<std::string, size_t> kSizes = {
    {"SlotHeader", sizeof(SlotHeader)},
    {"IndexFileHeader", sizeof(IndexFileHeader)},
    {"LogId", sizeof(LogId)},
    {"IndexFile", sizeof(IndexFile)},
    {"IndexEntry", sizeof(IndexEntry)},
    {"PackedHeader", sizeof(PackedHeader)},
    {"PackedEntry", sizeof(PackedEntry)},
    {"RecordPrefix", sizeof(RecordPrefix)},
    {"RestorePointHeader", sizeof(RestorePointHeader)},
    {"IndexRef", sizeof(IndexRef)},
    {"FileRecordBytes", sizeof(FileRecordBytes)},
    {"AttachmentHeader", sizeof(AttachmentHeader)},
    {"LineageHeader", sizeof(LineageHeader)},
    {"SegmentSync", sizeof(SegmentSync)},
    {"FileEntry", sizeof(FileEntry)},
};

std::vector<std::string> cells(const std::string& line) {
    std::vector<std::string> found;
    std::stringstream stream(line);
    std::string cell;
    std::getline(stream, cell, '|');
    while (std::getline(stream, cell, '|')) {
        size_t begin = cell.find_first_not_of(' '), end = cell.find_last_not_of(' ');
        found.push_back(begin == std::string::npos ? "" : cell.substr(begin, end - begin + 1));
    }
    return found;
}

bool is_number(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// The tables of a page: `### Struct (N bytes)`, then rows of offset, bytes, field, meaning.
std::map<std::string, Fields> tables_of(const std::string& name) {
    std::map<std::string, Fields> tables;
    std::ifstream page(std::string(TARN_SOURCE_DIRECTORY) + "/docs/formats/" + name);
    EXPECT_TRUE(page.good()) << name;
    std::string line, current;
    while (std::getline(page, line)) {
        if (line.starts_with("#")) {
            std::stringstream words(line);
            std::string marks, size;
            words >> marks >> current >> size;
            if (marks != "###") current.clear();
            if (size.starts_with("(") && kSizes.contains(current)) {
                EXPECT_EQ(size.substr(1), std::to_string(kSizes.at(current))) << current;
            }
        }
        std::vector<std::string> row = line.starts_with("|") ? cells(line) : cells("");
        if (current.empty() || row.size() < 4 || !is_number(row[0]) || !is_number(row[1])) continue;
        Place place{std::stoul(row[0]), std::stoul(row[1])};
        EXPECT_TRUE(tables[current].emplace(row[2], place).second) << current << "." << row[2];
    }
    return tables;
}

TEST(FormatDocs, ByteTablesAreWhatTheCodeDoes) {
    std::set<std::string> documented;
    for (const char* page :
         {"log.md", "packed.md", "index.md", "restore-point.md", "lineage.md", "page-map.md"}) {
        std::map<std::string, Fields> tables = tables_of(page);
        EXPECT_FALSE(tables.empty()) << page;
        for (const auto& [name, fields] : tables) {
            SCOPED_TRACE(std::string(page) + ": " + name);
            ASSERT_TRUE(kStructs.contains(name));
            EXPECT_EQ(fields, kStructs.at(name));
            documented.insert(name);
        }
    }
    for (const auto& [name, fields] : kStructs) EXPECT_TRUE(documented.contains(name)) << name;
}

}  // namespace
}  // namespace tarn::store
