#include "objects/digest.h"

namespace tarn::objects {

std::string Digest::hex() const {
    std::string text;
    for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
    return text;
}

Result<Digest> sha256(std::string_view contents) {
    Digest made;
    if (EVP_Digest(contents.data(), contents.size(), made.bytes, &made.size, EVP_sha256(),
                   nullptr) != 1)
        return error(Code::internal, "OpenSSL cannot hash");
    return made;
}

}  // namespace tarn::objects
