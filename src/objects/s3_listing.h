// s3_listing.h: the XML that S3 answers with, as far as it is needed: lists and errors.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "objects/object_store.h"

namespace tarn::objects {

struct S3Page {
    std::vector<ObjectInfo> objects;
    std::string next;  // token of the page that follows; "": none does
};

// io_error if it is no ListBucketResult, or a part of it is missing.
Result<S3Page> parse_s3_page(std::string_view xml);

// The text of the first element of that name, "" if there is none.
std::string xml_text(std::string_view xml, std::string_view element);

}  // namespace tarn::objects
