// commit_log.h: what a page of the commit log (pg_xact) says of transactions.
#pragma once

#include <cstdint>

#include "pg/relation_path.h"

namespace tarn::pg {

constexpr uint32_t kTransactionsOfByte = 4;
constexpr uint32_t kTransactionsOfPage = kBlockSize * kTransactionsOfByte;

// `at` counts from the page's first transaction.
inline bool is_committed(const unsigned char* page, uint32_t at) {
    constexpr unsigned kCommitted = 1;
    unsigned byte = page[at / kTransactionsOfByte];
    return (byte >> (at % kTransactionsOfByte * 2) & 3) == kCommitted;
}

}  // namespace tarn::pg
