// s3_store.h: objects in a bucket of any service that speaks S3: PUT, GET, DELETE and
// ListObjectsV2, path-style, requests signed with AWS Signature Version 4 by libcurl.
//
// Invariants
//   Q1  bytes that are changed on their way are refused by the server: their SHA-256 is signed.
//       [assumed of the server]
//   Q2  what the server says is read without trusting it.
//       [S3Listing.DamagedAnswersAreRefused]
#pragma once

#include <optional>
#include <string>

#include "objects/http.h"
#include "objects/object_store.h"

namespace tarn::objects {

struct S3Options {
    std::string endpoint;  // "https://host:port"; "": that of AWS for the region
    std::string region = "us-east-1";
    std::string bucket;
    std::string prefix;  // of every name, without '/' at its end; may be empty
    std::string key_id;
    std::string secret;
    std::string session_token;  // of temporary credentials
};

class S3Store final : public ObjectStore {
  public:
    // Asks nobody anything yet.
    static Result<std::unique_ptr<S3Store>> open(S3Options options);

    std::string place() const override;
    Result<void> put(const std::string& name, std::string_view bytes) override;
    Result<std::string> get(const std::string& name) override;
    Result<std::vector<ObjectInfo>> list(const std::string& prefix) override;
    Result<void> remove(const std::string& name) override;
    // A put is one request: the server keeps nothing of half of one.
    Result<size_t> remove_leftovers(const std::string&, Time) override { return size_t{0}; }

  private:
    S3Store(S3Options options, HttpClient http)
        : options_(std::move(options)), http_(std::move(http)) {}

    std::string key_of(const std::string& name) const;
    Result<HttpAnswer> ask(const std::string& method, const std::string& key,
                           const std::string& query, std::string_view body);
    Error refusal(const HttpAnswer& answer, std::string_view doing) const;

    S3Options options_;
    HttpClient http_;
};

}  // namespace tarn::objects
