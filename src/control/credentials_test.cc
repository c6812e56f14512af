#include "control/credentials.h"

#include <jwt.h>

#include <nlohmann/json.hpp>

#include "control/control_fixture.h"
#include "meta/signing_keys.h"

namespace tarn::control {
namespace {

using std::chrono::seconds;

constexpr const char* kEndpoint = "projects/p/branches/production/endpoints/primary";

class CredentialsTest : public ControlFixture {
  protected:
    CredentialsTest() {
        EXPECT_TRUE(create_project("p").ok());
        settle();
        uid_ = primary("p").row.uid;
    }
    Result<DatabaseCredential> generate(CredentialRequest request = {kEndpoint, {}, {}}) {
        return control_->credentials.generate(caller_, request);
    }
    TokenVerdict verdict(const std::string& token, const std::string& endpoint,
                         const std::string& user) {
        return control_->credentials.verify(token, endpoint, user);
    }
    TokenVerdict verdict(const std::string& token) {
        return verdict(token, uid_, caller_.user_name);
    }

    // A token with these claims under any algorithm and key.
    std::string forge(jwt_alg_t algorithm, const std::string& key, const std::string& kid) {
        jwt_t* token = nullptr;
        EXPECT_EQ(jwt_new(&token), 0);
        jwt_add_header(token, "kid", kid.c_str());
        jwt_add_grant(token, "sub", caller_.user_name.c_str());
        jwt_add_grant(token, "endpoint", uid_.c_str());
        jwt_add_grant_int(token, "exp", 4'000'000'000);
        const auto* bytes =
            key.empty() ? nullptr : reinterpret_cast<const unsigned char*>(key.data());
        EXPECT_EQ(jwt_set_alg(token, algorithm, bytes, static_cast<int>(key.size())), 0);
        char* text = jwt_encode_str(token);
        std::string forged = text;
        free(text);
        jwt_free(token);
        return forged;
    }
    meta::SigningKeyRow stored_key() {
        return meta_->read([](meta::Session& s) { return meta::list_signing_keys(s); })->at(0);
    }

    std::string uid_;
};

TEST_F(CredentialsTest, LetsItsUserIntoItsEndpointForAnHour) {
    auto made = generate();
    ASSERT_TRUE(made.ok()) << message(made);
    EXPECT_EQ(made->expire_time, now_ + seconds{3600});
    EXPECT_EQ(verdict(made->token), TokenVerdict::good);
    pass(seconds{3599});
    EXPECT_EQ(verdict(made->token), TokenVerdict::good);
    pass(seconds{1});
    EXPECT_EQ(verdict(made->token), TokenVerdict::expired);
}

TEST_F(CredentialsTest, LetsNobodyElseAndNowhereElse) {
    std::string token = generate()->token;
    EXPECT_EQ(verdict(token, "ep-other", caller_.user_name), TokenVerdict::wrong_endpoint);
    EXPECT_EQ(verdict(token, uid_, "postgres"), TokenVerdict::wrong_user);
    EXPECT_EQ(verdict(token, uid_, "jane.doe@example.com"), TokenVerdict::wrong_user);
    EXPECT_EQ(verdict(token, uid_, ""), TokenVerdict::wrong_user);
}

TEST_F(CredentialsTest, WhatIsNoTokenIsRefused) {
    for (std::string text :
         {std::string(), std::string("x"), std::string("a.b.c"), std::string(".."),
          std::string(60000, 'x'), std::string("a\0b", 3), std::string("\xff\xfe")})
        EXPECT_EQ(verdict(text), TokenVerdict::invalid) << text.substr(0, 20);
}

TEST_F(CredentialsTest, EveryChangedByteIsNoticed) {
    std::string token = generate()->token;
    for (size_t i = 0; i < token.size() - 1;
         ++i) {  // the last character has bits that nobody reads
        std::string changed = token;
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        EXPECT_NE(verdict(changed), TokenVerdict::good) << i;
    }
}

TEST_F(CredentialsTest, ForeignAlgorithmsAndKeysAreRefused) {
    meta::SigningKeyRow key = stored_key();
    EXPECT_EQ(verdict(forge(JWT_ALG_ES256, key.private_key, key.kid)),
              TokenVerdict::good);  // the forge works
    EXPECT_EQ(verdict(forge(JWT_ALG_NONE, "", key.kid)), TokenVerdict::invalid);
    EXPECT_EQ(verdict(forge(JWT_ALG_ES256, key.private_key, "unknown")), TokenVerdict::invalid);
    EXPECT_EQ(verdict(forge(JWT_ALG_ES256, key.private_key, "")), TokenVerdict::invalid);
    // The classic: an HMAC whose "secret" is the public key.
    for (jwt_alg_t algorithm : {JWT_ALG_HS256, JWT_ALG_HS384, JWT_ALG_HS512})
        EXPECT_EQ(verdict(forge(algorithm, public_key_of(key.private_key).value(), key.kid)),
                  TokenVerdict::invalid);
}

TEST_F(CredentialsTest, TokensOutliveTheServer) {
    std::string token = generate()->token;
    open();
    EXPECT_EQ(verdict(token), TokenVerdict::good);
    EXPECT_EQ(meta_->read([](meta::Session& s) { return meta::list_signing_keys(s); })->size(), 1u);
}

TEST_F(CredentialsTest, LifetimesAreFiveMinutesToAnHour) {
    auto with_ttl = [&](int64_t ttl) { return generate({kEndpoint, seconds{ttl}, {}}); };
    EXPECT_EQ(with_ttl(300)->expire_time, now_ + seconds{300});
    EXPECT_TRUE(with_ttl(3600).ok());
    EXPECT_EQ(message(with_ttl(299)),
              "Field 'ttl' must be between 300s and 3600s from now, got '299s'.");
    EXPECT_FALSE(with_ttl(3601).ok());
    EXPECT_FALSE(with_ttl(-1).ok());
    EXPECT_EQ(generate({kEndpoint, {}, now_ + seconds{600}})->expire_time, now_ + seconds{600});
    EXPECT_FALSE(generate({kEndpoint, {}, now_ + seconds{200}}).ok());
    EXPECT_FALSE(generate({kEndpoint, {}, now_ - seconds{200}}).ok());
    EXPECT_FALSE(generate({kEndpoint, seconds{600}, now_ + seconds{600}}).ok());
}

TEST_F(CredentialsTest, AreMadeForEndpointsThatExist) {
    auto error_of = [&](const char* name) { return message(generate({name, {}, {}})); };
    EXPECT_EQ(error_of("projects/p/branches/production/endpoints/ep-primary"), "");
    EXPECT_EQ(error_of("projects/none/branches/production/endpoints/primary"),
              "project id not found");
    EXPECT_EQ(error_of("projects/p/branches/none/endpoints/primary"), "branch id not found");
    EXPECT_EQ(error_of("projects/p/branches/production/endpoints/none"), "endpoint not found");
    EXPECT_EQ(
        error_of("projects/p"),
        "Field 'endpoint' must have the form "
        "projects/{project_id}/branches/{branch_id}/endpoints/{endpoint_id}, got 'projects/p'.");
    EXPECT_EQ(error_of(""), "Field 'endpoint' is required, expected non-default value (not \"\")!");
}

}  // namespace
}  // namespace tarn::control
