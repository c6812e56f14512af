// envelope.h: what an object's bytes are wrapped in: compressed, checked, and encrypted on request
// (docs/formats/object.md).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::objects {

inline constexpr char kEnvelopeMagic[8] = "TARNOBJ";
inline constexpr uint32_t kEnvelopeVersion = 1;

struct EnvelopeHeader {
    char magic[8];  // kEnvelopeMagic
    uint32_t version;
    uint32_t crc;          // CRC-32C of all other bytes of the object
    uint32_t flags;        // EnvelopeFlag
    uint32_t reserved;     // 0
    uint64_t plain_bytes;  // of the contents
    // then, if encrypted: 12 bytes nonce, 16 bytes tag; then the contents
};
static_assert(sizeof(EnvelopeHeader) == 32);

namespace envelope_flag {
inline constexpr uint32_t zstd = 1;
inline constexpr uint32_t encrypted = 2;  // AES-256-GCM; the object's name is authenticated with it
}  // namespace envelope_flag

inline constexpr size_t kNonceBytes = 12;
inline constexpr size_t kTagBytes = 16;

using Key = std::array<unsigned char, 32>;
// The key in a file: 64 hexadecimal digits.
Result<Key> read_key(const std::string& path);

class Envelope {
  public:
    explicit Envelope(std::optional<Key> key = {}) : key_(key) {}
    bool encrypts() const { return key_.has_value(); }

    // Names contents by themselves: their SHA-256, or with a key an HMAC of it, which tells nobody
    // else whether two contents are the same as ones he has.
    Result<std::string> name_of(std::string_view contents) const;

    Result<std::string> wrap(const std::string& name, std::string_view contents) const;
    // data_loss if it is not what was wrapped under that name; bad_request if there is a key and it
    // is another, or none and one is needed.
    Result<std::string> unwrap(const std::string& name, std::string_view object) const;

  private:
    std::optional<Key> key_;
};

}  // namespace tarn::objects
