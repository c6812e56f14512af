#include "store/paths.h"

#include <cstring>

namespace tarn::store {

namespace {

constexpr int kDigits = 8;
constexpr char kPackedSuffix[] = ".packed";

// Appends text and numbers to a fixed buffer; what does not fit is cut, which no store root that
// Store::open() accepts can bring about.
class Writer {
  public:
    explicit Writer(Path& path) : path_(path) { path_.text[0] = '\0'; }
    Writer& text(const char* text) {
        while (*text && used_ + 1 < kPathBytes) path_.text[used_++] = *text++;
        path_.text[used_] = '\0';
        return *this;
    }
    Writer& number(uint64_t value, int digits, unsigned base) {
        char reversed[24];
        int count = 0;
        while (value != 0 || count < digits) {
            reversed[count++] = "0123456789abcdef"[value % base];
            value /= base;
        }
        char forward[24];
        for (int i = 0; i < count; ++i) forward[i] = reversed[count - 1 - i];
        forward[count] = '\0';
        return text(forward);
    }

  private:
    Path& path_;
    size_t used_ = 0;
};

Path numbered(const char* root, LogId log, uint64_t number, const char* suffix) {
    Path path = incarnation_directory(root, log);
    Path result;
    Writer(result).text(path).text("/").number(number, kDigits, 10).text(suffix);
    return result;
}

}  // namespace

Path lineage_directory(const char* root, uint64_t lineage) {
    Path path;
    Writer(path).text(root).text("/lineages/").number(lineage, 16, 16);
    return path;
}

Path incarnation_directory(const char* root, LogId log) {
    Path path;
    Writer(path)
        .text(root)
        .text("/lineages/")
        .number(log.lineage, 16, 16)
        .text("/")
        .number(log.incarnation, 8, 10);
    return path;
}

Path segment_path(const char* root, LogId log, uint64_t segment, bool slots) {
    return numbered(root, log, segment, slots ? ".slots" : ".pages");
}

Path packed_path(const char* root, LogId log, uint64_t segment, uint32_t number) {
    Path path = numbered(root, log, segment, ".");
    Path result;
    Writer(result).text(path).number(number, 1, 10).text(kPackedSuffix);
    return result;
}

bool is_packed_name(const char* name, uint64_t* segment, uint32_t* number) {
    *segment = 0;
    for (int digit = 0; digit < kDigits; ++digit, ++name) {
        if (*name < '0' || *name > '9') return false;
        *segment = *segment * 10 + static_cast<uint64_t>(*name - '0');
    }
    if (*name++ != '.' || *name < '0' || *name >= static_cast<char>('0' + kPackedNumbers))
        return false;
    *number = static_cast<uint32_t>(*name++ - '0');
    return std::strcmp(name, kPackedSuffix) == 0;
}

Path index_path(const char* root, LogId log, uint32_t number) {
    return numbered(root, log, number, ".index");
}

Path restore_point_path(const char* root, LogId log, uint32_t number) {
    return numbered(root, log, number, ".restore");
}

Path map_path(const char* root, LogId log) {
    Path path;
    Writer(path).text(incarnation_directory(root, log)).text("/map");
    return path;
}

}  // namespace tarn::store
