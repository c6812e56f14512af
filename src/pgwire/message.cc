#include "pgwire/message.h"

namespace tarn::pgwire {

MessageWriter& MessageWriter::begin(char type) {
    if (type != 0) out_.push_back(type);
    length_at_ = out_.size();
    out_.append(4, '\0');
    return *this;
}

MessageWriter& MessageWriter::be32(uint32_t value) {
    value = __builtin_bswap32(value);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
}

MessageWriter& MessageWriter::byte(char value) {
    out_.push_back(value);
    return *this;
}

MessageWriter& MessageWriter::bytes(std::string_view value) {
    out_.append(value);
    return *this;
}

MessageWriter& MessageWriter::text(std::string_view value) {
    out_.append(value.substr(0, value.find('\0')));
    out_.push_back('\0');
    return *this;
}

MessageWriter& MessageWriter::end() {
    uint32_t length = __builtin_bswap32(static_cast<uint32_t>(out_.size() - length_at_));
    std::memcpy(out_.data() + length_at_, &length, sizeof length);
    return *this;
}

std::string_view FieldReader::take(size_t count) {
    if (!ok_ || rest_.size() < count) {
        ok_ = false;
        rest_ = {};
        return {};
    }
    std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
}

uint32_t FieldReader::be32() {
    std::string_view field = take(4);
    return field.empty() ? 0 : load_be32(field.data());
}

char FieldReader::byte() {
    std::string_view field = take(1);
    return field.empty() ? '\0' : field.front();
}

std::string_view FieldReader::text() {
    size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
        take(rest_.size() + 1);
        return {};
    }
    std::string_view field = take(end);
    take(1);
    return field;
}

Framing next_message(std::string_view& bytes, size_t body_bytes_max, Message& message) {
    if (bytes.size() < kHeaderBytes) return Framing::incomplete;
    uint32_t length = load_be32(bytes.data() + 1);
    if (length < 4 || length - 4 > body_bytes_max) return Framing::malformed;
    if (bytes.size() < 1 + size_t{length}) return Framing::incomplete;
    message.type = bytes.front();
    message.body = bytes.substr(kHeaderBytes, length - 4);
    bytes.remove_prefix(1 + size_t{length});
    return Framing::whole;
}

}  // namespace tarn::pgwire
