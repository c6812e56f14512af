#include "api/page.h"

#include "base/number.h"

namespace tarn::api {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::string to_hex(std::string_view bytes) {
    std::string text;
    for (char c : bytes) {
        auto byte = static_cast<unsigned char>(c);
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

// "" if it is no hexadecimal.
std::string from_hex(std::string_view text) {
    std::string bytes;
    if (text.size() % 2 != 0) return bytes;
    for (size_t i = 0; i < text.size(); i += 2) {
        size_t high = kDigits.find(text[i]);
        size_t low = kDigits.find(text[i + 1]);
        if (high == kDigits.npos || low == kDigits.npos) return "";
        bytes += static_cast<char>(high << 4 | low);
    }
    return bytes;
}

}  // namespace

std::string page_token(const std::vector<std::string>& keys) {
    std::string text = "1";  // the form of tokens, should it ever change
    for (const std::string& key : keys) text += "\n" + key;
    return to_hex(text);
}

Result<PageRequest> page_request(const Request& request, size_t keys) {
    PageRequest page;
    page.after.resize(keys);
    if (const std::string& text = request.parameter("page_size"); !text.empty()) {
        auto size = parse_number<int64_t>(text);
        if (!size || *size < 0)
            return error(Code::invalid_argument,
                         "Parameter 'page_size' must be a whole number that is not negative, got "
                         "'{}'.",
                         text.substr(0, 100));
        if (*size > 0) page.size = std::min(static_cast<size_t>(*size), kPageSizeMax);
    }
    if (const std::string& token = request.parameter("page_token"); !token.empty()) {
        std::string text = from_hex(token);
        std::vector<std::string> parts;
        for (size_t start = 0; start <= text.size();) {
            size_t end = std::min(text.find('\n', start), text.size());
            parts.push_back(text.substr(start, end - start));
            start = end + 1;
        }
        if (parts.size() != keys + 1 || parts[0] != "1")
            return error(
                Code::invalid_argument,
                "Parameter 'page_token' must be the next_page_token of an earlier answer.");
        page.after.assign(parts.begin() + 1, parts.end());
    }
    return page;
}

}  // namespace tarn::api
