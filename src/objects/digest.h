// digest.h: SHA-256, and how hashes are written.
#pragma once

#include <openssl/evp.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::objects {

struct Digest {
    unsigned char bytes[EVP_MAX_MD_SIZE] = {};
    unsigned size = 0;

    std::string hex() const;
};

Result<Digest> sha256(std::string_view contents);

}  // namespace tarn::objects
