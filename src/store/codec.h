// codec.h: puts records of the store into bytes and takes them out of bytes that may be damaged.
//
// Every record begins with magic, version and a CRC-32C of the whole record in which the CRC's own
// four bytes are 0 (docs/formats). A decoder never reads outside its bytes and never allocates more
// than they could fill.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "base/crc32c.h"
#include "base/result.h"

namespace tarn::store {

using Attachments = std::map<std::string, std::string>;

// The first bytes of every record.
struct RecordPrefix {
    char magic[8];
    uint32_t version;
    uint32_t crc;  // of the whole record, with this field 0
    uint64_t total_bytes;
};
static_assert(sizeof(RecordPrefix) == 24);

inline RecordPrefix record_prefix(const char (&magic)[8], uint32_t version) {
    RecordPrefix prefix{};
    std::memcpy(prefix.magic, magic, sizeof magic);
    prefix.version = version;
    return prefix;
}

// One attachment; its name and value follow.
struct AttachmentHeader {
    uint32_t name_bytes;
    uint32_t reserved;
    uint64_t value_bytes;
};
static_assert(sizeof(AttachmentHeader) == 16);

inline uint32_t record_crc(std::string_view bytes) {
    constexpr size_t at = offsetof(RecordPrefix, crc);
    constexpr uint32_t nothing = 0;
    uint32_t crc = crc32c(0, bytes.data(), at);
    crc = crc32c(crc, &nothing, sizeof nothing);
    return crc32c(crc, bytes.data() + at + sizeof nothing, bytes.size() - at - sizeof nothing);
}

class Encoder {
  public:
    template <class T>
    Encoder& put(const T& value) {
        static_assert(std::has_unique_object_representations_v<T>, "padding would reach the disk");
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    Encoder& put(const Attachments& attachments) {
        for (const auto& [name, value] : attachments) {
            put(AttachmentHeader{static_cast<uint32_t>(name.size()), 0, value.size()});
            bytes_ += name;
            bytes_ += value;
        }
        return *this;
    }
    // Fills in length and CRC; the record began with a RecordPrefix.
    std::string finish() {
        auto* prefix = reinterpret_cast<RecordPrefix*>(bytes_.data());
        prefix->total_bytes = bytes_.size();
        prefix->crc = record_crc(bytes_);
        return std::move(bytes_);
    }

  private:
    std::string bytes_;
};

class Decoder {
  public:
    explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

    // Checks prefix and CRC; what follows is then what somebody wrote.
    Result<void> open(const char (&magic)[8], uint32_t version, const char* what) {
        if (bytes_.size() < sizeof(RecordPrefix))
            return error(Code::data_loss, "{} has only {} bytes", what, bytes_.size());
        RecordPrefix prefix;
        std::memcpy(&prefix, bytes_.data(), sizeof prefix);
        if (std::memcmp(prefix.magic, magic, sizeof magic) != 0)
            return error(Code::data_loss, "these bytes are not a {}", what);
        if (prefix.version != version)
            return error(Code::unimplemented, "{} of format version {}, this program knows {}",
                         what, prefix.version, version)
                .with_hint("use the version of Tarn that wrote this store, or a newer one");
        if (prefix.total_bytes != bytes_.size())
            return error(Code::data_loss, "{} of {} bytes, {} were written", what, bytes_.size(),
                         prefix.total_bytes);
        if (uint32_t crc = record_crc(bytes_); crc != prefix.crc)
            return error(Code::data_loss, "checksum of {} is {:08x}, {:08x} was written", what, crc,
                         prefix.crc);
        return {};
    }

    template <class T>
    bool take(T& value) {
        if (bytes_.size() < sizeof value) return false;
        std::memcpy(&value, bytes_.data(), sizeof value);
        bytes_.remove_prefix(sizeof value);
        return true;
    }
    // Could `count` more of these still be there? Asked before anything is reserved for them.
    bool holds(uint64_t count, size_t bytes_each) const {
        return count <= bytes_.size() / bytes_each;
    }
    bool take(uint32_t count, Attachments& attachments) {
        for (uint32_t i = 0; i < count; ++i) {
            AttachmentHeader header;
            if (!take(header) || header.reserved != 0 || header.name_bytes > bytes_.size() ||
                header.value_bytes > bytes_.size() - header.name_bytes)
                return false;
            std::string name(bytes_.substr(0, header.name_bytes));
            bytes_.remove_prefix(header.name_bytes);
            std::string value(bytes_.substr(0, header.value_bytes));
            bytes_.remove_prefix(header.value_bytes);
            if (!attachments.emplace(std::move(name), std::move(value)).second) return false;
        }
        return true;
    }
    bool at_end() const { return bytes_.empty(); }

  private:
    std::string_view bytes_;
};

}  // namespace tarn::store
