// message.h: the framing of protocol 3: one type byte, a big-endian length, a body.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tarn::pgwire {

// Type byte and length; the length counts itself but not the type.
inline constexpr size_t kHeaderBytes = 5;

inline uint32_t load_be32(const char* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

// Builds messages one behind the other.
class MessageWriter {
  public:
    // Begins a message of `type`; type 0 begins a packet that has none (the first of a connection).
    MessageWriter& begin(char type);
    MessageWriter& be32(uint32_t value);
    MessageWriter& byte(char value);
    MessageWriter& bytes(std::string_view value);
    // A NUL-terminated string; what lies behind a NUL inside `value` is dropped, for it would be
    // read as the next field.
    MessageWriter& text(std::string_view value);
    // Closes the message: its length is now known.
    MessageWriter& end();
    std::string take() { return std::move(out_); }

  private:
    std::string out_;
    size_t length_at_ = 0;
};

// Reads the fields of one body. A field that is not there makes every later read fail, so that a
// parser can ask ok() once at its end.
class FieldReader {
  public:
    explicit FieldReader(std::string_view body) : rest_(body) {}

    uint32_t be32();
    char byte();
    std::string_view text();
    std::string_view rest() const { return rest_; }
    bool ok() const { return ok_; }

  private:
    std::string_view take(size_t count);

    std::string_view rest_;
    bool ok_ = true;
};

// One message that is whole.
struct Message {
    char type = 0;
    std::string_view body;
};

enum class Framing { whole, incomplete, malformed };

// Takes the next message off the head of `bytes`. One whose body is longer than `body_bytes_max` is
// malformed: nobody waits for, or stores, a length that a stranger made up.
Framing next_message(std::string_view& bytes, size_t body_bytes_max, Message& message);

}  // namespace tarn::pgwire
