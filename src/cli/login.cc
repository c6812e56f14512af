#include "cli/login.h"

#include <cstdlib>
#include <sstream>

#include "sys/small_file.h"

namespace tarn::cli {

namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::string trimmed(const std::string& text) {
    auto begin = text.find_first_not_of(" \t\r");
    if (begin == text.npos) return "";
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// What a profile says, and what of it is to be told if that is not enough.
struct Profile {
    std::string path;
    std::string name;
    std::string host;
    std::string token;
    std::string lack;  // "is not there", "has no profile [x]"; "": it is there

    std::string text() const { return fmt::format("profile {} of {}", name, path); }
};

// Host and token below "[name]"; false if there is no such section.
bool read_section(const std::string& content, Profile& profile) {
    std::istringstream in(content);
    bool inside = false, found = false;
    for (std::string line; std::getline(in, line);) {
        line = trimmed(line);
        if (line.starts_with('[')) inside = line == "[" + profile.name + "]";
        found = found || inside;
        auto equals = line.find('=');
        if (!inside || equals == line.npos) continue;
        std::string key = trimmed(line.substr(0, equals));
        if (key == "host") profile.host = trimmed(line.substr(equals + 1));
        if (key == "token") profile.token = trimmed(line.substr(equals + 1));
    }
    return found;
}

Profile find_profile() {
    Profile profile;
    profile.path = variable("DATABRICKS_CONFIG_FILE");
    if (profile.path.empty()) profile.path = variable("HOME") + "/.databrickscfg";
    profile.name = variable("DATABRICKS_CONFIG_PROFILE");
    if (profile.name.empty()) profile.name = "DEFAULT";
    auto content = sys::read_small_file(profile.path);
    if (!content)
        profile.lack = fmt::format("cannot be read ({})", content.error().message());
    else if (!*content)
        profile.lack = "is not there";
    else if (!read_section(**content, profile))
        profile.lack = fmt::format("has no profile [{}]", profile.name);
    return profile;
}

// The first that says something; where it says so goes to `from`.
std::string first_of(const std::string& given, const char* flag, const char* name,
                     const std::string& in_profile, const Profile& profile, std::string& from) {
    std::string in_environment = variable(name);
    from = !given.empty() ? flag : !in_environment.empty() ? name : profile.text();
    return !given.empty() ? given : !in_environment.empty() ? in_environment : in_profile;
}

Error nothing_found(const char* what, const char* flag, const char* name, const Profile& profile) {
    std::string lack = profile.lack.empty()
                           ? fmt::format("has no {} in profile [{}]", what, profile.name)
                           : profile.lack;
    return error(Code::invalid_argument,
                 "find the server: there is no {}: {} and {} are not given, and {} {}", what, flag,
                 name, profile.path, lack)
        .with_hint(
            "set DATABRICKS_CONFIG_FILE to the file that `tarn serve --write-profile FILE` wrote "
            "(script/quickstart's: databrickscfg in TARN_HOME), or DATABRICKS_HOST and "
            "DATABRICKS_TOKEN");
}

}  // namespace

Result<Login> find_login(const std::string& host, const std::string& token) {
    Profile profile = find_profile();
    Login login;
    login.host =
        first_of(host, "--host", "DATABRICKS_HOST", profile.host, profile, login.host_from);
    login.token =
        first_of(token, "--token", "DATABRICKS_TOKEN", profile.token, profile, login.token_from);
    while (login.host.ends_with('/')) login.host.pop_back();  // as people copy it from a browser
    if (login.host.empty()) return nothing_found("host", "--host", "DATABRICKS_HOST", profile);
    if (login.token.empty()) return nothing_found("token", "--token", "DATABRICKS_TOKEN", profile);
    return login;
}

}  // namespace tarn::cli
