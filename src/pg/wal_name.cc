#include "pg/wal_name.h"

namespace tarn::pg {

namespace {

void write_hex(uint32_t value, char* out) {
    for (int i = 7; i >= 0; --i, value >>= 4) out[i] = "0123456789ABCDEF"[value & 0xf];
}

bool parse_eight(const char* digits, uint32_t* value) {
    uint64_t wide = 0;
    if (!parse_upper_hex({digits, 8}, &wide)) return false;
    *value = static_cast<uint32_t>(wide);
    return true;
}

}  // namespace

bool valid_wal_segment_size(uint64_t size) {
    return size >= (1u << 20) && size <= (1u << 30) && (size & (size - 1)) == 0;
}

void format_wal_name(uint32_t tli, uint64_t segment, uint32_t segment_size,
                     char (&name)[kWalNameLength + 1]) {
    uint64_t per_id = (uint64_t{1} << 32) / segment_size;
    write_hex(tli, name);
    write_hex(static_cast<uint32_t>(segment / per_id), name + 8);
    write_hex(static_cast<uint32_t>(segment % per_id), name + 16);
    name[kWalNameLength] = '\0';
}

void format_history_name(uint32_t tli, char (&name)[kHistoryNameLength + 1]) {
    write_hex(tli, name);
    constexpr char kSuffix[] = ".history";
    for (size_t i = 0; i < sizeof kSuffix; ++i) name[8 + i] = kSuffix[i];
}

bool is_wal_name(std::string_view name) {
    if (name.size() != kWalNameLength) return false;
    uint64_t ignored = 0;
    return parse_upper_hex({name.data(), 12}, &ignored) &&
           parse_upper_hex({name.data() + 12, 12}, &ignored);
}

bool parse_wal_name(std::string_view name, uint32_t segment_size, uint32_t* tli,
                    uint64_t* segment) {
    uint32_t id = 0;
    uint32_t within = 0;
    if (name.size() != kWalNameLength || !valid_wal_segment_size(segment_size) ||
        !parse_eight(name.data(), tli) || !parse_eight(name.data() + 8, &id) ||
        !parse_eight(name.data() + 16, &within))
        return false;
    uint64_t per_id = (uint64_t{1} << 32) / segment_size;
    *segment = id * per_id + within;
    return *tli != 0 && within < per_id;
}

bool parse_history_name(std::string_view name, uint32_t* tli) {
    return name.size() == kHistoryNameLength &&
           std::string_view(name.data() + 8, kHistoryNameLength - 8) == ".history" &&
           parse_eight(name.data(), tli) && *tli != 0;
}

bool parse_upper_hex(std::string_view text, uint64_t* value) {
    if (text.empty() || text.size() > 16) return false;
    *value = 0;
    for (char c : text) {
        unsigned digit = 0;
        if (c >= '0' && c <= '9')
            digit = static_cast<unsigned>(c - '0');
        else if (c >= 'A' && c <= 'F')
            digit = static_cast<unsigned>(c - 'A' + 10);
        else
            return false;
        *value = *value << 4 | digit;
    }
    return true;
}

}  // namespace tarn::pg
