#include "objects/place.h"

#include <cstdlib>

#include "objects/directory_store.h"
#include "objects/s3_store.h"
#include "sys/paths.h"

namespace tarn::objects {

namespace {

constexpr std::string_view kS3 = "s3://";

std::string from_environment(const std::string& given, std::initializer_list<const char*> names,
                             const char* otherwise = "") {
    if (!given.empty()) return given;
    for (const char* name : names)
        if (const char* value = std::getenv(name); value && *value) return value;
    return otherwise;
}

Result<std::unique_ptr<ObjectStore>> open_s3(const PlaceOptions& options) {
    std::string rest = options.url.substr(kS3.size());
    size_t slash = rest.find('/');
    S3Options s3;
    s3.bucket = rest.substr(0, slash);
    if (slash != rest.npos) s3.prefix = rest.substr(slash + 1);
    while (s3.prefix.ends_with('/')) s3.prefix.pop_back();
    s3.endpoint = from_environment(options.endpoint, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
    s3.region = from_environment(options.region, {"AWS_REGION", "AWS_DEFAULT_REGION"}, "us-east-1");
    s3.key_id = from_environment("", {"AWS_ACCESS_KEY_ID"});
    s3.secret = from_environment("", {"AWS_SECRET_ACCESS_KEY"});
    s3.session_token = from_environment("", {"AWS_SESSION_TOKEN"});
    if (s3.key_id.empty())
        return error(Code::invalid_argument, "there are no credentials for {}", options.url)
            .with_hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
    return std::unique_ptr<ObjectStore>(TRY(S3Store::open(std::move(s3))));
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> open_place(const PlaceOptions& options) {
    if (options.url.starts_with(kS3)) return open_s3(options);
    if (options.url.empty() || options.url.find("://") != options.url.npos)
        return error(Code::invalid_argument, "'{}' is no place for objects", options.url)
            .with_hint("name a directory, or s3://<bucket>/<prefix>");
    return std::unique_ptr<ObjectStore>(
        std::make_unique<DirectoryStore>(sys::real_disk(), TRY(sys::absolute_path(options.url))));
}

}  // namespace tarn::objects
