#include "cli/client.h"

#include <httplib.h>

#include <cstdlib>
#include <fstream>

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

Login default_profile() {
    std::string path = variable("DATABRICKS_CONFIG_FILE");
    if (path.empty()) path = variable("HOME") + "/.databrickscfg";
    Login login;
    std::ifstream in(path);
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        line = trimmed(line);
        if (line.starts_with('[')) inside = line == "[DEFAULT]";
        auto equals = line.find('=');
        if (!inside || equals == line.npos) continue;
        std::string key = trimmed(line.substr(0, equals));
        if (key == "host") login.host = trimmed(line.substr(equals + 1));
        if (key == "token") login.token = trimmed(line.substr(equals + 1));
    }
    return login;
}

Code code_of_status(int status) {
    if (status == 401) return Code::unauthenticated;
    if (status == 403) return Code::permission_denied;
    if (status == 404) return Code::not_found;
    return status >= 500 ? Code::unavailable : Code::bad_request;
}

Result<httplib::Client> client_of(const Login& login) {
    // The library throws for what it does not know.
    bool known = login.host.starts_with("http://") || login.host.starts_with("https://") ||
                 login.host.find("://") == login.host.npos;
    httplib::Client client(known ? login.host : "");
    if (!known || !client.is_valid())
        return error(Code::invalid_argument, "reach '{}': expected http://ADDRESS:PORT",
                     login.host);
    client.set_bearer_token_auth(login.token);
    client.set_connection_timeout(5);
    return client;
}

Result<nlohmann::json> answer_of(const httplib::Result& answer, const Login& login,
                                 const std::string& doing) {
    if (!answer)
        return error(Code::unavailable, "reach {}: {}", login.host,
                     httplib::to_string(answer.error()))
            .with_hint("is the server running? start one with script/quickstart or `tarn serve`");
    auto body = nlohmann::json::parse(answer->body, nullptr, false);
    if (answer->status != 200)
        return error(code_of_status(answer->status), "{}: {}", doing,
                     body.is_object() && body.contains("message") && body["message"].is_string()
                         ? body["message"].get<std::string>()
                         : answer->reason);
    if (!body.is_object()) return error(Code::malformed, "{}: the answer is no JSON", doing);
    return body;
}

}  // namespace

Result<Login> find_login(const std::string& host, const std::string& token) {
    Login profile = default_profile();
    Login login{variable("DATABRICKS_HOST"), variable("DATABRICKS_TOKEN")};
    if (login.host.empty()) login.host = profile.host;
    if (login.token.empty()) login.token = profile.token;
    if (!host.empty()) login.host = host;
    if (!token.empty()) login.token = token;
    while (login.host.ends_with('/')) login.host.pop_back();  // as people copy it from a browser
    if (login.host.empty() || login.token.empty())
        return error(Code::invalid_argument, "find the server: no {} given",
                     login.host.empty() ? "host" : "token")
            .with_hint(
                "set DATABRICKS_HOST and DATABRICKS_TOKEN, or DATABRICKS_CONFIG_FILE to the file "
                "that `tarn serve --write-profile FILE` wrote");
    return login;
}

Result<nlohmann::json> Client::get(const std::string& path) const {
    auto client = TRY(client_of(login_));
    return answer_of(client.Get(path), login_, "get " + path);
}

Result<nlohmann::json> Client::post(const std::string& path, const nlohmann::json& body,
                                    int seconds) const {
    auto client = TRY(client_of(login_));
    client.set_read_timeout(seconds);
    return answer_of(client.Post(path, body.dump(), "application/json"), login_, "post " + path);
}

}  // namespace tarn::cli
