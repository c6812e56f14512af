// place.h: from the words of a command line to an object store.
#pragma once

#include <memory>
#include <string>

#include "objects/object_store.h"

namespace tarn::objects {

struct PlaceOptions {
    std::string url;       // "/directory" or "s3://bucket/prefix"
    std::string endpoint;  // of S3; "": AWS_ENDPOINT_URL, else Amazon's
    std::string region;    // of S3; "": AWS_REGION, AWS_DEFAULT_REGION, else us-east-1
};

// Credentials of S3 come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
Result<std::unique_ptr<ObjectStore>> open_place(const PlaceOptions& options);

}  // namespace tarn::objects
