#include "cli/client.h"

#include <httplib.h>

namespace tarn::cli {

namespace {

Code code_of_status(int status) {
    if (status == 401) return Code::unauthenticated;
    if (status == 403) return Code::permission_denied;
    if (status == 404) return Code::not_found;
    return status >= 500 ? Code::unavailable : Code::bad_request;
}

std::string host_hint(const Login& login) {
    return fmt::format(
        "the host is http:// and what --http of `tarn serve` says; this one is from {}",
        login.host_from);
}

Result<httplib::Client> client_of(const Login& login) {
    // The library throws for what it does not know.
    bool known = login.host.starts_with("http://") || login.host.starts_with("https://") ||
                 login.host.find("://") == login.host.npos;
    httplib::Client client(known ? login.host : "");
    if (!known || !client.is_valid())
        return error(Code::invalid_argument, "reach '{}': expected http://ADDRESS:PORT", login.host)
            .with_hint(host_hint(login));
    client.set_bearer_token_auth(login.token);
    client.set_connection_timeout(5);
    return client;
}

Error no_answer(httplib::Error failure, const Login& login) {
    auto told = [&](const char* why) {
        return error(Code::unavailable, "reach {}: {}", login.host, why);
    };
    switch (failure) {
        case httplib::Error::Connection:
        case httplib::Error::ConnectionTimeout:
            return told("nothing answers there")
                .with_hint(
                    "is the server running? start one with script/quickstart or `tarn "
                    "serve`; " +
                    host_hint(login));
        case httplib::Error::SSLConnection:
        case httplib::Error::SSLServerVerification:
        case httplib::Error::SSLLoadingCerts:
            return told("no TLS connection comes about")
                .with_hint(
                    "`tarn serve` speaks plain HTTP: write http://, or give what ends TLS before "
                    "it a certificate that this machine trusts");
        case httplib::Error::Read:
        case httplib::Error::Write:
            return told("the connection ended, or took too long, without an answer")
                .with_hint("does something else listen there, such as PostgreSQL? " +
                           host_hint(login));
        default:
            return told(httplib::to_string(failure).c_str()).with_hint(host_hint(login));
    }
}

Error refusal(const httplib::Response& answer, const nlohmann::json& body, const Login& login,
              const std::string& doing) {
    auto refused =
        error(code_of_status(answer.status), "{}: {}", doing, body.value("message", answer.reason));
    if (answer.status != 401) return refused;
    return std::move(refused).with_hint(
        fmt::format("this token is from {}; `tarn serve --write-profile FILE` writes a good one",
                    login.token_from));
}

// Every answer of the API is an object, every refusal one with a text.
bool is_ours(const httplib::Response& answer, const nlohmann::json& body) {
    if (!body.is_object()) return false;
    return answer.status == 200 ||
           (body.contains("error_code") && body.contains("message") && body["message"].is_string());
}

Result<nlohmann::json> answer_of(const httplib::Result& answer, const Login& login,
                                 const std::string& doing) {
    if (!answer) return no_answer(answer.error(), login);
    auto body = nlohmann::json::parse(answer->body, nullptr, false);
    if (!is_ours(*answer, body))
        return error(Code::unavailable, "{}: what answers at {} (HTTP {}) is no Tarn server", doing,
                     login.host, answer->status)
            .with_hint(host_hint(login));
    if (answer->status != 200) return refusal(*answer, body, login, doing);
    return body;
}

}  // namespace

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
