#include "objects/http.h"

#include <curl/curl.h>

#include <chrono>
#include <thread>

#include "objects/object_store.h"
#include "sys/randomness.h"

namespace tarn::objects {

namespace {

constexpr long kConnectSeconds = 10;
constexpr long kStallSeconds = 30;  // with less than kStallBytes a second
constexpr long kStallBytes = 1024;
constexpr auto kFirstPause = std::chrono::milliseconds(200);

// Once for the process, before any thread uses the library.
bool library_is_ready() {
    static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return ready;
}

struct Received {
    std::string bytes;
    bool too_long = false;
};

size_t receive(char* data, size_t, size_t size, void* target) {
    auto& received = *static_cast<Received*>(target);
    received.too_long = received.bytes.size() + size > kObjectBytesMax;
    if (received.too_long) return 0;  // ends the transfer
    received.bytes.append(data, size);
    return size;
}

Code code_of(CURLcode failure) {
    switch (failure) {
        case CURLE_OPERATION_TIMEDOUT:
            return Code::timed_out;
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return Code::invalid_argument;
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
            return Code::permission_denied;
        default:
            return Code::unavailable;
    }
}

const char* hint_of(CURLcode failure) {
    switch (failure) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_OPERATION_TIMEDOUT:
            return "is the endpoint right (--endpoint-url or AWS_ENDPOINT_URL; else it is "
                   "Amazon's), does it run, and can this machine reach it?";
        case CURLE_URL_MALFORMAT:
        case CURLE_UNSUPPORTED_PROTOCOL:
            return "write the endpoint as https://<host>[:<port>]";
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
            return "this machine must trust who signed the service's certificate; of a service "
                   "that has no TLS the endpoint begins with http://";
        default:
            return "";
    }
}

bool is_busy(long status) {
    return status == 408 || status == 429 || status >= 500;
}

struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

}  // namespace

void HttpClient::Close::operator()(void* handle) const {
    curl_easy_cleanup(handle);
}

Result<HttpClient> HttpClient::open(Signature signature) {
    CURL* handle = library_is_ready() ? curl_easy_init() : nullptr;
    if (!handle) return error(Code::internal, "libcurl cannot be used");
    return HttpClient(handle, std::move(signature));
}

Result<HttpAnswer> HttpClient::attempt(const HttpRequest& request, bool& again) {
    CURL* curl = handle_.get();
    curl_easy_reset(curl);  // the connection stays
    Received received;
    char why[CURL_ERROR_SIZE] = "";
    std::unique_ptr<curl_slist, FreeList> headers;
    for (const std::string& header : request.headers)
        headers.reset(curl_slist_append(headers.release(), header.c_str()));
    curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kStallBytes);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &received);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, signature_.scope.c_str());
    curl_easy_setopt(curl, CURLOPT_USERPWD, signature_.credentials.c_str());
    if (request.method == "PUT") {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(request.body.size()));
    }
    if (request.method != "GET")
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    CURLcode done = curl_easy_perform(curl);
    if (received.too_long)
        return error(Code::data_loss, "the answer has more than {} bytes", kObjectBytesMax);
    HttpAnswer answer;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    if (done != CURLE_OK) {
        Code code = code_of(done);
        again = info(code).retryable;
        return error(code, "{}", *why ? why : curl_easy_strerror(done)).with_hint(hint_of(done));
    }
    answer.body = std::move(received.bytes);
    again = is_busy(answer.status);
    return answer;
}

Result<HttpAnswer> HttpClient::request(const HttpRequest& request) {
    auto pause = kFirstPause;
    for (int number = 1;; ++number) {
        bool again = false;
        auto answer = attempt(request, again);
        if (!again) return answer;
        if (number == kAttempts) {
            if (!answer) return answer;
            return error(Code::unavailable, "the server answers {}: {}", answer->status,
                         answer->body.substr(0, 300));
        }
        std::this_thread::sleep_for(pause / 2 +
                                    pause * (sys::real_random().number() % 1000) / 1000);
        pause *= 2;
    }
}

}  // namespace tarn::objects
