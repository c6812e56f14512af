// certificates.h: the local certificate authority and the endpoints' certificates.
//
// At first start a CA is made in a directory: `ca.key` (0600) and `ca.crt`, which clients may trust
// (sslrootcert, NODE_EXTRA_CA_CERTS). Certificates of endpoints are made in memory when first
// needed and never stored; they share one key, for they live in one process.
//
// A certificate names the address, the DNS name and `localhost`: two Node drivers check that name
// when the host is an IP address.
//
// Fails with: data_loss (key and certificate do not belong together), io_error and the like (disk).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "proxy/openssl_ptr.h"

namespace tarn::proxy {

struct Certificate {
    CertificatePtr x509;
    Time expires;
};

class CertificateAuthority {
  public:
    // Loads the CA in `directory`, or makes one.
    static Result<CertificateAuthority> open(const std::string& directory, Time now);

    const std::string& certificate_path() const { return certificate_path_; }

    // A certificate for `key` that names `address` (none if "") and `dns_names`.
    Result<Certificate> issue(EVP_PKEY* key, const std::string& address,
                              const std::vector<std::string>& dns_names, Time now) const;

  private:
    CertificateAuthority() = default;

    std::string certificate_path_;
    KeyPtr key_;
    CertificatePtr certificate_;
};

// A new ECDSA P-256 key.
Result<KeyPtr> make_key();

}  // namespace tarn::proxy
