// branch_name.h: branches as a person names them on a command line.
#pragma once

#include <string>
#include <string_view>

namespace tarn::cli {

// For the library that reads command lines: "" if it has the form of a branch's name, else why not.
// Whether there is such a branch only the server knows.
inline std::string branch_form(const std::string& text) {
    std::string_view rest = text;
    auto take = [&rest](std::string_view collection) {
        if (!rest.starts_with(collection)) return false;
        rest.remove_prefix(collection.size());
        size_t end = rest.find('/');
        bool has_id = end != 0 && !rest.empty();
        rest.remove_prefix(end == rest.npos ? rest.size() : end);
        return has_id;
    };
    if (take("projects/") && take("/branches/") && rest.empty()) return "";
    return "'" + text + "' is no name of a branch; write projects/PROJECT/branches/BRANCH";
}

}  // namespace tarn::cli
