#include "objects/object_store.h"

namespace tarn::objects {

namespace {

bool is_good(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

Error bad(std::string_view name, std::string_view why) {
    return error(Code::invalid_argument, "'{}' cannot name an object: {}", name.substr(0, 80), why);
}

}  // namespace

Result<void> check_object_prefix(std::string_view prefix) {
    if (prefix.size() > kObjectNameMax) return bad(prefix, "it is too long");
    char before = '/';
    for (char c : prefix) {
        if (c == '/' ? before == '/' : !is_good(c)) return bad(prefix, "it has a wrong character");
        if (c == '.' && before == '/') return bad(prefix, "a part of it begins with '.'");
        before = c;
    }
    return {};
}

Result<void> check_object_name(std::string_view name) {
    TRY(check_object_prefix(name));
    if (name.empty() || name.back() == '/') return bad(name, "it ends too early");
    return {};
}

}  // namespace tarn::objects
