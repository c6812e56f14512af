#include "proxy/cancel_keys.h"

#include <gtest/gtest.h>

#include <set>

namespace tarn::proxy {
namespace {

TEST(CancelKeys, FindWhatTheyWereIssuedForUntilRevoked) {
    CancelKeys keys;
    pgwire::CancelKey key = keys.issue({"/run/a", {42, "srv1"}}, 4);
    EXPECT_EQ(key.pid, 42u);
    EXPECT_EQ(keys.find(key)->socket_path, "/run/a");
    EXPECT_EQ(keys.find(key)->server_key, (pgwire::CancelKey{42, "srv1"}));
    EXPECT_FALSE(keys.find({43, key.secret}).has_value());
    EXPECT_FALSE(keys.find({42, "srv1"}).has_value()) << "the server's own secret opens nothing";
    keys.revoke(key);
    keys.revoke(key);
    EXPECT_FALSE(keys.find(key).has_value());
}

TEST(CancelKeys, AreNeverIssuedTwice) {
    CancelKeys keys;
    std::set<std::string> secrets;
    // All secrets of one byte: the last ones are found among hardly any that are left.
    for (int i = 0; i < 256; ++i) secrets.insert(keys.issue({"/run/a", {1, ""}}, 1).secret);
    EXPECT_EQ(secrets.size(), 256u);
    EXPECT_EQ(keys.issue({"/run/b", {1, ""}}, 32).secret.size(), 32u);
    EXPECT_EQ(keys.count(), 257u);
}

}  // namespace
}  // namespace tarn::proxy
