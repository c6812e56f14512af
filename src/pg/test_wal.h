// test_wal.h: the WAL of a cluster's pg_wal in memory, and walks over it. Test code only.
#pragma once

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "pg/test_cluster.h"
#include "pg/wal_name.h"
#include "pg/wal_walker.h"

namespace tarn::pg::testing {

// Consecutive bytes of the log from `lsn` on; of several timelines' files the newest one's.
struct WalBytes {
    uint64_t lsn = 0;
    std::vector<std::byte> bytes;

    uint64_t end() const { return lsn + bytes.size(); }
    WalWindow window() const { return {lsn, bytes.data(), bytes.size()}; }
    WalWindow window_until(uint64_t cut) const {
        return {lsn, bytes.data(), static_cast<size_t>(cut - lsn)};
    }
    std::byte& at(uint64_t position) { return bytes[position - lsn]; }
};

// The longest run of segments in pg_wal that ends with the newest.
inline WalBytes load_wal(const std::string& data, uint32_t segment_size) {
    std::map<uint64_t, std::pair<uint32_t, std::string>> newest;
    for (const auto& entry : std::filesystem::directory_iterator(data + "/pg_wal")) {
        uint32_t tli = 0;
        uint64_t segment = 0;
        if (!parse_wal_name(entry.path().filename().string(), segment_size, &tli, &segment))
            continue;
        auto& slot = newest[segment];
        if (tli > slot.first) slot = {tli, entry.path().string()};
    }
    WalBytes wal;
    uint64_t next = 0;
    for (const auto& [segment, file] : newest) {
        if (segment != next) wal = {.lsn = segment * segment_size, .bytes = {}};
        next = segment + 1;
        auto bytes = read_file(file.second);
        wal.bytes.insert(wal.bytes.end(), bytes.begin(), bytes.end());
    }
    return wal;
}

struct WalWalk {
    std::vector<WalRecord> records;  // their prefix points nowhere
    WalStep last = WalStep::record;
    WalStop stop = WalStop::none;
    WalPosition position;
    uint64_t wrong_from = 0, wrong_to = 0;  // what it stopped at
};

// Steps through one window after the other until one of them is the last or the log ends.
inline WalWalk walk(WalWalker walker, const std::vector<WalWindow>& windows) {
    WalWalk found;
    for (const auto& window : windows) {
        WalRecord record;
        while ((found.last = walker.next(window, &record)) == WalStep::record)
            found.records.push_back(record);
    }
    found.stop = walker.stop();
    found.position = walker.position();
    found.wrong_from = walker.stopped_at();
    found.wrong_to = walker.needed();
    return found;
}

}  // namespace tarn::pg::testing
