// http.h: one HTTP request after another to one server, tried again while that may help.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tarn::objects {

inline constexpr int kAttempts = 6;  // with 0.2 s, 0.4 s ... between them, give or take a half

struct HttpRequest {
    std::string method;
    std::string url;
    std::vector<std::string> headers;  // "name: value"
    std::string_view body;             // lives until the answer
};

struct HttpAnswer {
    long status = 0;
    std::string body;
};

struct Signature {
    std::string scope;        // "aws:amz:<region>:s3"
    std::string credentials;  // "<key id>:<secret>"
};

class HttpClient {
  public:
    static Result<HttpClient> open(Signature signature);

    // Any status but those that ask for another try: 408, 429 and from 500 on are unavailable after
    // the last attempt, as is a server that does not answer.
    Result<HttpAnswer> request(const HttpRequest& request);

  private:
    struct Close {
        void operator()(void* handle) const;
    };
    HttpClient(void* handle, Signature signature)
        : handle_(handle), signature_(std::move(signature)) {}
    Result<HttpAnswer> attempt(const HttpRequest& request, bool& again);

    std::unique_ptr<void, Close> handle_;
    Signature signature_;
};

}  // namespace tarn::objects
