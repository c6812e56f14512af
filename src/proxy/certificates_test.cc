#include "proxy/certificates.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "proxy/tls.h"
#include "sys/clock.h"

namespace tarn::proxy {
namespace {

namespace fs = std::filesystem;

class Authority : public testing::Test {
  protected:
    void SetUp() override { fs::remove_all(directory); }
    void TearDown() override { fs::remove_all(directory); }

    Result<CertificateAuthority> open() {
        return CertificateAuthority::open(directory, sys::real_clock().now());
    }
    std::string read(const char* name) {
        std::ifstream file(directory + "/" + name);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string directory = testing::TempDir() + "tarn-ca-" + std::to_string(getpid());
};

// Null if a client that trusts only `ca_file` accepts the certificate under this name, else why
// not.
const char* refusal(const std::string& ca_file, X509* certificate, const std::string& name,
                    bool is_address) {
    std::unique_ptr<X509_STORE, OpensslFree<X509_STORE_free>> store(X509_STORE_new());
    EXPECT_EQ(X509_STORE_load_locations(store.get(), ca_file.c_str(), nullptr), 1);
    std::unique_ptr<X509_STORE_CTX, OpensslFree<X509_STORE_CTX_free>> context(X509_STORE_CTX_new());
    EXPECT_EQ(X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr), 1);
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    // As strict as Python 3.13's default.
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
    if (is_address)
        X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str());
    else
        X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size());
    if (X509_verify_cert(context.get()) == 1) return nullptr;
    return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

TEST_F(Authority, IssuesCertificatesThatStrictClientsAcceptForTheirNamesOnly) {
    CertificateAuthority authority = open().value();
    KeyPtr key = make_key().value();
    Certificate made =
        authority
            .issue(key.get(), "127.64.0.5", {"localhost", "*.db.test"}, sys::real_clock().now())
            .value();
    const std::string& ca = authority.certificate_path();
    EXPECT_STREQ(refusal(ca, made.x509.get(), "127.64.0.5", true), nullptr);
    EXPECT_STREQ(refusal(ca, made.x509.get(), "localhost", false), nullptr);
    EXPECT_STREQ(refusal(ca, made.x509.get(), "ep-1.db.test", false), nullptr);
    EXPECT_STRNE(refusal(ca, made.x509.get(), "127.64.0.6", true), nullptr);
    EXPECT_STRNE(refusal(ca, made.x509.get(), "a.ep-1.db.test", false), nullptr);
}

TEST_F(Authority, RefusesNamesThatAreSyntax) {
    CertificateAuthority authority = open().value();
    KeyPtr key = make_key().value();
    for (const char* name : {"", "a,DNS:bank.example", "a b", "a\nb"})
        EXPECT_EQ(authority.issue(key.get(), "", {name}, sys::real_clock().now()).error().code(),
                  Code::invalid_argument);
}

TEST_F(Authority, IsMadeOnceWithAKeyThatOthersCannotRead) {
    ASSERT_TRUE(open().ok());
    std::string certificate = read("ca.crt");
    struct stat status = {};
    ASSERT_EQ(stat((directory + "/ca.key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    ASSERT_TRUE(open().ok());
    EXPECT_EQ(read("ca.crt"), certificate);
}

TEST_F(Authority, ACrashBetweenKeyAndCertificateIsMended) {
    ASSERT_TRUE(open().ok());
    std::string key = read("ca.key");
    fs::remove(directory + "/ca.crt");
    ASSERT_TRUE(open().ok());
    EXPECT_EQ(read("ca.key"), key);
    EXPECT_FALSE(read("ca.crt").empty());
}

TEST_F(Authority, WhatDoesNotBelongTogetherIsRefusedAndKept) {
    ASSERT_TRUE(open().ok());
    fs::rename(directory + "/ca.key", directory + "/old.key");
    EXPECT_EQ(open().error().code(), Code::data_loss);
    fs::rename(directory + "/ca.crt", directory + "/old.crt");
    ASSERT_TRUE(open().ok());
    fs::copy(directory + "/old.crt", directory + "/ca.crt", fs::copy_options::overwrite_existing);
    EXPECT_EQ(open().error().code(), Code::data_loss);
    std::ofstream(directory + "/ca.key") << "rubbish";
    EXPECT_FALSE(open().ok());
}

TEST_F(Authority, OnesOwnCertificateIsTakenOnlyWithItsKey) {
    ASSERT_TRUE(open().ok());
    TlsOptions options{.directory = "",
                       .domain = "",
                       .certificate_file = directory + "/ca.crt",
                       .key_file = directory + "/ca.key"};
    EXPECT_EQ(Tls::create(options).value()->ca_file(), directory + "/ca.crt");
    fs::remove(directory + "/ca.key");
    EXPECT_FALSE(Tls::create(options).ok());
    fs::remove(directory + "/ca.crt");
    Result<std::unique_ptr<Tls>> missing = Tls::create(options);
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message().find("ca.crt"), std::string::npos);
}

}  // namespace
}  // namespace tarn::proxy
