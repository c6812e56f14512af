#include "pg/relation_path.h"

#include <cstring>

#include "pg/wal_name.h"

namespace tarn::pg {

namespace {

constexpr uint64_t kLongNameBit = uint64_t{1} << 63;
constexpr size_t kLongNameDigits = 15;
constexpr uint64_t kMaxLongSegment = (uint64_t{1} << 60) - 1;
constexpr uint64_t kMaxShortSegment = 0xffffff;  // PostgreSQL looks at names of 4, 5 and 6 digits

// Takes components off the front of a path.
class Components {
  public:
    explicit Components(std::string_view path) : rest_(path) {}

    // The next component, empty at the end.
    std::string_view next() {
        std::string_view component;
        do {
            while (!rest_.empty() && rest_.front() == '/') rest_.remove_prefix(1);
            component = rest_;
            if (auto slash = rest_.find('/'); slash != rest_.npos)
                component.remove_suffix(component.size() - slash);
            rest_.remove_prefix(component.size());
        } while (component == ".");
        return component;
    }
    // True if nothing follows, not even the slash that would make the last component a directory.
    bool at_end() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

// Takes a decimal number as PostgreSQL prints it (no sign, no leading zero) off the front of
// `text`.
bool take_number(std::string_view& text, uint32_t& number) {
    uint64_t value = 0;
    size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
        value = value * 10 + static_cast<uint64_t>(text[digits] - '0');
        if (value > UINT32_MAX) return false;
        ++digits;
    }
    if (digits == 0 || (text.front() == '0' && digits > 1)) return false;
    text.remove_prefix(digits);
    number = static_cast<uint32_t>(value);
    return true;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    // starts_with() would draw in the runtime's exceptions where it is not inlined.
    if (text.size() < prefix.size() || std::memcmp(text.data(), prefix.data(), prefix.size()) != 0)
        return false;
    text.remove_prefix(prefix.size());
    return true;
}

// A whole component that is an OID; 0 is InvalidOid.
bool parse_oid(std::string_view text, uint32_t& oid) {
    return take_number(text, oid) && text.empty() && oid != 0;
}

// "<relation>[_fork][.segment]"
bool parse_relation_name(std::string_view name, RelationFile& file) {
    if (!take_number(name, file.relation) || file.relation == 0) return false;
    if (take_prefix(name, "_fsm"))
        file.fork = Fork::free_space;
    else if (take_prefix(name, "_vm"))
        file.fork = Fork::visibility;
    else if (take_prefix(name, "_init"))
        file.fork = Fork::init;
    if (take_prefix(name, ".") && (!take_number(name, file.segment) || file.segment == 0))
        return false;
    return name.empty() && file.segment <= kMaxSegment;
}

// "t<process>_<relation>[_fork][.segment]"
bool is_temporary_name(std::string_view name) {
    uint32_t process = 0;
    RelationFile file;
    return take_prefix(name, "t") && take_number(name, process) && take_prefix(name, "_") &&
           parse_relation_name(name, file);
}

// A name inside the directory of one database, or inside global/ (database 0).
PathClass classify_relation(std::string_view name, uint32_t tablespace, uint32_t database) {
    RelationFile file{.tablespace = tablespace, .database = database};
    if (parse_relation_name(name, file)) return {PathKind::relation, file_id(file)};
    if (name == "pg_filenode.map") return {PathKind::relation_map, {}};
    if (database != 0 && is_temporary_name(name)) return {PathKind::temporary_relation, {}};
    return {};
}

// The segment number of an SLRU file. Only upper-case names in the shortest form are PostgreSQL's.
bool parse_slru_name(std::string_view name, SlruFile& file) {
    if (name.size() < 4 || (name.size() > 6 && name.size() != kLongNameDigits)) return false;
    if ((name.size() == 5 || name.size() == 6) && name.front() == '0') return false;
    file.long_name = name.size() == kLongNameDigits;
    return parse_upper_hex(name, &file.segment);
}

PathClass classify_slru(std::string_view name, SlruKind kind) {
    SlruFile file{.kind = kind};
    if (!parse_slru_name(name, file)) return {};
    return {PathKind::slru, file_id(file)};
}

PathClass classify_tablespace(Components& parts, std::string_view version_directory) {
    uint32_t tablespace = 0;
    uint32_t database = 0;
    if (!parse_oid(parts.next(), tablespace) || tablespace == kDefaultTablespace ||
        tablespace == kGlobalTablespace)
        return {};
    if (parts.next() != version_directory || !parse_oid(parts.next(), database)) return {};
    auto name = parts.next();
    return parts.at_end() ? classify_relation(name, tablespace, database) : PathClass{};
}

const char* slru_directory(SlruKind kind) {
    switch (kind) {
        case SlruKind::xact:
            return "pg_xact";
        case SlruKind::multixact_offsets:
            return "pg_multixact/offsets";
        case SlruKind::multixact_members:
            return "pg_multixact/members";
        case SlruKind::commit_ts:
            return "pg_commit_ts";
    }
    return nullptr;
}

// Appends to a caller's buffer and remembers whether everything fitted.
class Writer {
  public:
    Writer(char* buffer, size_t size) : buffer_(buffer), size_(size) {}

    Writer& text(std::string_view text) {
        for (char c : text) put(c);
        return *this;
    }
    Writer& decimal(uint32_t value) {
        char digits[10];
        size_t count = 0;
        do digits[count++] = static_cast<char>('0' + value % 10);
        while ((value /= 10) != 0);
        while (count > 0) put(digits[--count]);
        return *this;
    }
    Writer& hex(uint64_t value, size_t least_digits) {
        size_t digits = least_digits;
        while (digits < 16 && value >> (4 * digits) != 0) ++digits;
        while (digits > 0) put("0123456789ABCDEF"[value >> (4 * --digits) & 0xf]);
        return *this;
    }
    size_t finish() {
        if (used_ >= size_) return 0;
        buffer_[used_] = '\0';
        return used_;
    }

  private:
    void put(char c) {
        if (used_ < size_) buffer_[used_] = c;
        ++used_;
    }

    char* buffer_;
    size_t size_;
    size_t used_ = 0;
};

void write_relation(const RelationFile& file, std::string_view version_directory, Writer& out) {
    if (file.tablespace == kGlobalTablespace)
        out.text("global/");
    else if (file.tablespace == kDefaultTablespace)
        out.text("base/").decimal(file.database).text("/");
    else
        out.text("pg_tblspc/")
            .decimal(file.tablespace)
            .text("/")
            .text(version_directory)
            .text("/")
            .decimal(file.database)
            .text("/");
    constexpr std::string_view kSuffix[] = {"", "_fsm", "_vm", "_init"};
    out.decimal(file.relation).text(kSuffix[static_cast<size_t>(file.fork)]);
    if (file.segment != 0) out.text(".").decimal(file.segment);
}

}  // namespace

const char* tablespace_version_directory(int major) {
    switch (major) {
        case 16:
            return "PG_16_202307071";
        case 17:
            return "PG_17_202406281";
        case 18:
            return "PG_18_202506291";
        default:
            return nullptr;
    }
}

PathClass classify_path(std::string_view path, std::string_view version_directory) {
    if (path.empty() || path.front() == '/') return {};
    Components parts(path);
    auto top = parts.next();
    if (top == "pg_tblspc") return classify_tablespace(parts, version_directory);
    uint32_t database = 0;
    SlruKind slru{};
    if (top == "base") {
        if (!parse_oid(parts.next(), database)) return {};
    } else if (top == "pg_xact") {
        slru = SlruKind::xact;
    } else if (top == "pg_commit_ts") {
        slru = SlruKind::commit_ts;
    } else if (top == "pg_multixact") {
        auto part = parts.next();
        if (part == "offsets")
            slru = SlruKind::multixact_offsets;
        else if (part == "members")
            slru = SlruKind::multixact_members;
        else
            return {};
    } else if (top != "global" && top != "pg_wal") {
        return {};
    }
    auto name = parts.next();
    if (!parts.at_end()) return {};
    if (top == "base") return classify_relation(name, kDefaultTablespace, database);
    if (slru != SlruKind{}) return classify_slru(name, slru);
    if (top == "pg_wal") return {is_wal_name(name) ? PathKind::wal_segment : PathKind::other, {}};
    if (name == "pg_control") return {PathKind::control_file, {}};
    return classify_relation(name, kGlobalTablespace, 0);
}

FileId file_id(const RelationFile& file) {
    return {.hi = uint64_t{file.tablespace} << 32 | file.database,
            .lo = uint64_t{file.relation} << 32 | uint64_t{static_cast<uint8_t>(file.fork)} << 24 |
                  (file.segment & kMaxSegment)};
}

FileId file_id(const SlruFile& file) {
    return {.hi = static_cast<uint64_t>(file.kind),
            .lo = (file.long_name ? kLongNameBit : 0) | (file.segment & kMaxLongSegment)};
}

bool is_slru(FileId id) {
    return id.hi >= static_cast<uint64_t>(SlruKind::xact) &&
           id.hi <= static_cast<uint64_t>(SlruKind::commit_ts);
}

bool relation_of(FileId id, RelationFile* file) {
    file->tablespace = static_cast<uint32_t>(id.hi >> 32);
    file->database = static_cast<uint32_t>(id.hi);
    file->relation = static_cast<uint32_t>(id.lo >> 32);
    file->segment = static_cast<uint32_t>(id.lo) & kMaxSegment;
    auto fork = static_cast<uint8_t>(id.lo >> 24);
    if (fork > static_cast<uint8_t>(Fork::init)) return false;
    file->fork = static_cast<Fork>(fork);
    return file->tablespace != 0 && file->relation != 0 &&
           (file->database == 0) == (file->tablespace == kGlobalTablespace);
}

bool slru_of(FileId id, SlruFile* file) {
    if (!is_slru(id)) return false;
    file->kind = static_cast<SlruKind>(id.hi);
    file->long_name = (id.lo & kLongNameBit) != 0;
    file->segment = id.lo & ~kLongNameBit;
    return file->segment <= (file->long_name ? kMaxLongSegment : kMaxShortSegment);
}

size_t format_path(FileId id, std::string_view version_directory, char* buffer, size_t size) {
    Writer out(buffer, size);
    RelationFile relation;
    SlruFile slru;
    if (slru_of(id, &slru)) {
        out.text(slru_directory(slru.kind))
            .text("/")
            .hex(slru.segment, slru.long_name ? kLongNameDigits : 4);
    } else if (relation_of(id, &relation)) {
        write_relation(relation, version_directory, out);
    } else {
        return 0;
    }
    return out.finish();
}

}  // namespace tarn::pg
