#include "api/server.h"

#include <fcntl.h>
#include <httplib.h>
#include <unistd.h>

#include "api/errors.h"
#include "base/log.h"
#include "control/uids.h"
#include "sys/sockets.h"

namespace tarn::api {

namespace {

constexpr size_t kBodyBytesMax = 1 << 20;
// An idle connection holds a thread: there are some more of these than long polls may hold, and a
// connection is not kept long.
constexpr size_t kThreads = 96;
constexpr time_t kKeepAliveSeconds = 2;
constexpr int kBacklog = 512;

Result<control::Identity> authenticate(control::Control& control, std::string_view authorization) {
    constexpr std::string_view kScheme = "Bearer ";
    if (!authorization.starts_with(kScheme) || authorization.size() == kScheme.size())
        return error(Code::unauthenticated,
                     "Credential was not sent or was of an unsupported type for this API.")
            .with_hint("send a token as 'Authorization: Bearer <token>'");
    return control.identities.authenticate(authorization.substr(kScheme.size()));
}

Result<Response> dispatch(const Router& router, control::Control& control, Request& request,
                          const std::string& authorization, const std::string& id) {
    auto found = router.find(request.method, request.path);
    if (auto* wrong = std::get_if<Router::WrongMethod>(&found)) {
        Response response = error_response(
            error(Code::bad_request, "Method {} is not allowed for '{}'; allowed: {}.",
                  request.method, request.path, wrong->allowed),
            id);
        response.status = 405;
        response.headers["Allow"] = wrong->allowed;
        return response;
    }
    auto* match = std::get_if<Router::Match>(&found);
    if (!match)
        return error(Code::not_found, "No API found for '{} {}': resource not found",
                     request.method, request.path);
    if (match->access == Access::bearer) request.caller = TRY(authenticate(control, authorization));
    request.captures = std::move(match->captures);
    return (*match->handler)(request);
}

// Only what may stand in a URL's authority, for this comes from the client and goes into an answer.
std::string safe_host(const std::string& host) {
    bool fits = host.size() <= 255;
    for (char c : host)
        fits = fits && (isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' ||
                        c == ':' || c == '[' || c == ']');
    return fits ? host : "";
}

Request request_of(const httplib::Request& from) {
    Request request;
    request.method = from.method;
    request.path = from.path;
    for (const auto& [name, value] : from.params) request.query[name] = value;
    request.body = from.body;
    request.host = safe_host(from.get_header_value("Host"));
    return request;
}

void put(const Response& from, httplib::Response& to) {
    to.status = from.status;
    for (const auto& [name, value] : from.headers) to.set_header(name, value);
    to.set_content(from.body.dump(-1, ' ', false, Json::error_handler_t::replace),
                   "application/json");
}

// The answers that the library gives by itself: what it could not read, or would not.
Error library_error(int status) {
    if (status == 413)
        return error(Code::too_large, "the request body is larger than {} bytes", kBodyBytesMax);
    if (status == 404) return error(Code::not_found, "resource not found");
    return error(Code::malformed, "the request could not be read (HTTP status {})", status);
}

}  // namespace

void add_all(Router& router, control::Control& control, const ServerInfo& info) {
    add_projects(router, control);
    add_branches(router, control);
    add_snapshots(router, control);
    add_diffs(router, control);
    add_restore_checks(router, control);
    add_endpoints(router, control);
    add_roles(router, control);
    add_databases(router, control);
    add_credentials(router, control);
    add_operations(router, control);
    add_scim(router, info);
    add_well_known(router, info);
    add_database_instances(router);
    add_health(router);
    add_status(router, control, info);
}

Response handle(const Router& router, control::Control& control, Request request,
                const std::string& authorization) {
    std::string id = control::draw_uuid(control.core().environment);
    auto result = dispatch(router, control, request, authorization, id);
    Response response =
        result.ok() ? std::move(result).value() : error_response(result.error(), id);
    if (!result.ok()) {
        std::string line = fmt::format("api: {} {} status={} request={}: {}", request.method,
                                       request.path, response.status, id, result.error().text());
        if (response.status >= 500)
            log::error(line);
        else
            log::info(line);
    }
    response.headers["X-Request-Id"] = id;
    return response;
}

struct Server::Http : httplib::Server {
    Http() {
        new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
        set_tcp_nodelay(true);
        set_keep_alive_timeout(kKeepAliveSeconds);
        set_keep_alive_max_count(1000000);
        set_payload_max_length(kBodyBytesMax);
        // A request comes in one go; who sends it in drops would hold a thread meanwhile.
        set_read_timeout(5);
        set_write_timeout(30);
        // The library's own choice shares the port with any other process of the same user.
        set_socket_options([](socket_t socket) {
            int on = 1;
            setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
            fcntl(socket, F_SETFD, FD_CLOEXEC);
        });
    }
    ~Http() override {
        // The library closes only what it has served.
        if (socket_t bound = svr_sock_.exchange(INVALID_SOCKET); bound != INVALID_SOCKET)
            ::close(bound);
    }

    void route(control::Control& control, const ServerInfo& info) {
        add_all(router_, control, info);
        // One route takes all; ours (router.h) knows methods and never runs a regular expression
        // over a stranger's path.
        auto all = [this, &control](const httplib::Request& from, httplib::Response& to) {
            put(handle(router_, control, request_of(from), from.get_header_value("Authorization")),
                to);
        };
        Get(".*", all);
        Post(".*", all);
        Put(".*", all);
        Patch(".*", all);
        Delete(".*", all);
        Options(".*", all);
        // Whose headers announce no body sends none (RFC 9112, 6.3); the library would wait for it.
        set_pre_routing_handler([all](const httplib::Request& from, httplib::Response& to) {
            if (from.has_header("Content-Length") || from.has_header("Transfer-Encoding"))
                return HandlerResponse::Unhandled;
            all(from, to);
            return HandlerResponse::Handled;
        });
        answer_for_library(control);
    }

    // Its own refusals, and what was thrown, in the contract's form.
    void answer_for_library(control::Control& control) {
        auto refuse = [&control](const httplib::Request& request, httplib::Response& to, int status,
                                 const Error& why) {
            std::string id = control::draw_uuid(control.core().environment);
            log::info("api: {} {} status={} request={}: {}", request.method, request.path, status,
                      id, why.text());
            Response response = error_response(why, id);
            response.status = status;
            response.headers["X-Request-Id"] = id;
            put(response, to);
        };
        set_error_handler([refuse](const httplib::Request& request, httplib::Response& to) {
            if (to.body.empty()) refuse(request, to, to.status, library_error(to.status));
        });
        set_exception_handler([refuse](const httplib::Request& request, httplib::Response& to,
                                       std::exception_ptr) {
            log::error("api: {} {}: unexpected exception", request.method, request.path);
            refuse(request, to, 500, error(Code::internal, "The request could not be processed."));
        });
    }

    // The library listens with a backlog of 5, too few for a burst of clients.
    void widen_backlog() { ::listen(svr_sock_, kBacklog); }

    Router router_;
    uint16_t port_ = 0;
    std::thread thread_;
};

Server::Server(std::unique_ptr<Http> http) : http_(std::move(http)) {}

Server::~Server() {
    stop();
}

Result<std::unique_ptr<Server>> Server::listen(const std::string& host, uint16_t port) {
    auto http = std::make_unique<Http>();
    errno = 0;
    if (port == 0) {
        int bound = http->bind_to_any_port(host);
        http->port_ = bound < 0 ? 0 : static_cast<uint16_t>(bound);
    } else if (http->bind_to_port(host, port)) {
        http->port_ = port;
    }
    if (http->port_ == 0) {
        int reason = errno == 0 ? EADDRNOTAVAIL : errno;
        return sys::listening_failed(reason, fmt::format("listen for HTTP on {}:{}", host, port),
                                     host, port);
    }
    http->widen_backlog();
    return std::unique_ptr<Server>(new Server(std::move(http)));
}

void Server::serve(control::Control& control, const ServerInfo& info) {
    http_->route(control, info);
    http_->thread_ = std::thread([this] { http_->listen_after_bind(); });
    // The library forgets a stop() that comes before its loop runs.
    while (!http_->is_running()) std::this_thread::yield();
}

void Server::stop() {
    if (!http_->thread_.joinable()) return;
    http_->stop();
    http_->thread_.join();
}

uint16_t Server::port() const {
    return http_->port_;
}

}  // namespace tarn::api
