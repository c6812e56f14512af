#include "objects/s3_store.h"

#include <algorithm>

#include "objects/digest.h"
#include "objects/s3_listing.h"

namespace tarn::objects {

namespace {

// As the signature wants it: all but unreserved characters.
std::string percent_encoded(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

bool is_bucket_name(std::string_view name) {
    return name.size() >= 3 && name.size() <= 63 &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
           });
}

}  // namespace

Result<std::unique_ptr<S3Store>> S3Store::open(S3Options options) {
    if (!is_bucket_name(options.bucket))
        return error(Code::invalid_argument, "'{}' is no name of a bucket", options.bucket)
            .with_hint("write s3://<bucket>/<prefix>");
    TRY(check_object_prefix(options.prefix));
    if (options.endpoint.empty())
        options.endpoint = fmt::format("https://s3.{}.amazonaws.com", options.region);
    while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
    if (!options.endpoint.starts_with("https://") && !options.endpoint.starts_with("http://"))
        return error(Code::invalid_argument, "endpoint '{}' is no URL", options.endpoint)
            .with_hint("write https://<host>[:<port>]");
    if (options.key_id.empty() || options.secret.empty())
        return error(Code::invalid_argument, "half of the credentials of S3 are missing")
            .with_hint("set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    Signature signature{fmt::format("aws:amz:{}:s3", options.region),
                        options.key_id + ":" + options.secret};
    auto http = TRY(HttpClient::open(std::move(signature)));
    return std::unique_ptr<S3Store>(new S3Store(std::move(options), std::move(http)));
}

std::string S3Store::place() const {
    return fmt::format("s3://{}{}{} at {}", options_.bucket, options_.prefix.empty() ? "" : "/",
                       options_.prefix, options_.endpoint);
}

std::string S3Store::key_of(const std::string& name) const {
    return options_.prefix.empty() ? name : options_.prefix + "/" + name;
}

// `query` is in the order of its names, and encoded: the signature is over it as it is.
Result<HttpAnswer> S3Store::ask(const std::string& method, const std::string& key,
                                const std::string& query, std::string_view body) {
    HttpRequest request;
    request.method = method;
    request.url = fmt::format("{}/{}{}{}{}{}", options_.endpoint, options_.bucket,
                              key.empty() ? "" : "/", key, query.empty() ? "" : "?", query);
    request.headers = {"x-amz-content-sha256: " + TRY(sha256(body)).hex(), "Expect:"};
    if (method == "PUT") request.headers.emplace_back("Content-Type: application/octet-stream");
    if (!options_.session_token.empty())
        request.headers.push_back("x-amz-security-token: " + options_.session_token);
    request.body = body;
    return http_.request(request);
}

Error S3Store::refusal(const HttpAnswer& answer, std::string_view doing) const {
    std::string code = xml_text(answer.body, "Code"), message = xml_text(answer.body, "Message");
    Code kind = answer.status == 404   ? Code::not_found
                : answer.status == 403 ? Code::permission_denied
                : answer.status == 401 ? Code::permission_denied
                                       : Code::io_error;
    auto failure =
        error(kind, "{} in {}: the server answers {}{}{}{}{}", doing, place(), answer.status,
              code.empty() ? "" : " ", code, message.empty() ? "" : ": ", message.substr(0, 300));
    if (kind == Code::permission_denied)
        return std::move(failure).with_hint(
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and --region must be those of the bucket");
    if (code == "NoSuchBucket")
        return std::move(failure).with_hint("make the bucket first, or name another");
    if (code == "AuthorizationHeaderMalformed" || answer.status == 301)
        return std::move(failure).with_hint(fmt::format(
            "the region was taken to be {}: name the bucket's with --region or AWS_REGION",
            options_.region));
    if (code.empty())
        return std::move(failure).with_hint(
            "that is no answer of an S3 service: look at the endpoint (--endpoint-url)");
    return failure;
}

Result<void> S3Store::put(const std::string& name, std::string_view bytes) {
    TRY(check_object_name(name));
    if (bytes.size() > kObjectBytesMax)
        return error(Code::invalid_argument, "object {} has {} bytes, more than {}", name,
                     bytes.size(), kObjectBytesMax);
    auto answer = TRY_CTX(ask("PUT", key_of(name), "", bytes), "put {} in {}", name, place());
    if (answer.status == 200) return {};
    return refusal(answer, "put " + name);
}

Result<std::string> S3Store::get(const std::string& name) {
    TRY(check_object_name(name));
    auto answer = TRY_CTX(ask("GET", key_of(name), "", ""), "get {} from {}", name, place());
    if (answer.status == 200) return std::move(answer.body);
    return refusal(answer, "get " + name);
}

Result<std::vector<ObjectInfo>> S3Store::list(const std::string& prefix) {
    TRY(check_object_prefix(prefix));
    std::string whole = key_of(prefix);
    std::vector<ObjectInfo> found;
    for (std::string next;;) {
        std::string query = next.empty() ? "" : "continuation-token=" + percent_encoded(next) + "&";
        query += "list-type=2&prefix=" + percent_encoded(whole);
        auto answer = TRY_CTX(ask("GET", "", query, ""), "list {} in {}", prefix, place());
        if (answer.status != 200) return refusal(answer, fmt::format("list '{}'", prefix));
        auto page = TRY_CTX(parse_s3_page(answer.body), "list {} in {}", prefix, place());
        size_t cut = whole.size() - prefix.size();
        for (ObjectInfo& object : page.objects) {
            if (!object.name.starts_with(whole)) continue;
            object.name.erase(0, cut);
            // Somebody else's, which no name of ours is.
            if (check_object_name(object.name)) found.push_back(std::move(object));
        }
        if (page.next.empty()) break;
        next = std::move(page.next);
    }
    std::sort(found.begin(), found.end(),
              [](const ObjectInfo& a, const ObjectInfo& b) { return a.name < b.name; });
    return found;
}

Result<void> S3Store::remove(const std::string& name) {
    TRY(check_object_name(name));
    auto answer = TRY_CTX(ask("DELETE", key_of(name), "", ""), "remove {} from {}", name, place());
    if (answer.status == 204 || answer.status == 200 || answer.status == 404) return {};
    return refusal(answer, "remove " + name);
}

}  // namespace tarn::objects
