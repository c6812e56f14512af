// openssl_ptr.h: owners of OpenSSL's objects, and its errors as ours.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>

#include "base/result.h"

namespace tarn::proxy {

template <auto kFree>
struct OpensslFree {
    template <class T>
    void operator()(T* object) const {
        kFree(object);
    }
};

using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;

// The Error of a failed OpenSSL call; empties the thread's error queue.
Error openssl_error(std::string_view doing);
// The text of the oldest error in the thread's queue, which it empties.
std::string openssl_reason();

}  // namespace tarn::proxy
