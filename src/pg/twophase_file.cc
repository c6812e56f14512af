#include "pg/twophase_file.h"

#include <cstdint>

#include "base/bytes.h"
#include "base/crc32c.h"

namespace tarn::pg {

bool is_whole_twophase_file(std::string_view contents) {
    constexpr uint32_t kMagic = 0x57f94534;  // of 9.6 and later
    constexpr size_t kLengthAt = 4;
    constexpr size_t kLeast = 16;
    if (contents.size() < kLeast || load<uint32_t>(contents.data()) != kMagic ||
        load<uint32_t>(contents.data(), kLengthAt) != contents.size())
        return false;
    size_t body = contents.size() - sizeof(uint32_t);
    return crc32c(0, contents.data(), body) == load<uint32_t>(contents.data(), body);
}

}  // namespace tarn::pg
