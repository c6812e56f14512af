#include "proxy/routing.h"

#include <gtest/gtest.h>

#include "pgwire/error_response.h"
#include "proxy/login_errors.h"

namespace tarn::proxy {
namespace {

class TwoEndpoints : public Backplane {
  public:
    Result<std::string> endpoint_at(const std::string& address) override {
        if (address == "127.64.0.1") return std::string("one");
        return unknown_endpoint(address);
    }
    Result<std::string> endpoint_named(const std::string& name) override {
        if (name == "ep-one") return std::string("one");
        if (name == "ep-two") return std::string("two");
        return unknown_endpoint(name);
    }
    Result<void> authenticate(const std::string&, const Login&) override { return {}; }
    void wake(const std::string&, Awake) override {}
};

TEST(Routing, FollowsAddressThenServerNameThenOption) {
    struct Case {
        RouteRequest request;
        std::string_view endpoint;  // or the SQLSTATE of the refusal
    };
    TwoEndpoints backplane;
    for (const Case& c : {
             Case{{"127.64.0.1", "", ""}, "one"},
             Case{{"127.64.0.1", "", "ep-one"}, "one"},
             Case{{"127.64.0.1", "ep-two.db.test", ""}, "one"},
             Case{{"127.64.0.1", "", "ep-two"}, "08004"},
             Case{{"127.64.0.2", "", ""}, "3D000"},
             Case{{"", "ep-two.db.test", ""}, "two"},
             Case{{"", "EP-Two.DB.test", ""}, "two"},
             Case{{"", "ep-two.db.test", "ep-two"}, "two"},
             Case{{"", "ep-two.db.test", "ep-one"}, "08004"},
             Case{{"", "ep-six.db.test", ""}, "3D000"},
             Case{{"", "elsewhere.test", "ep-one"}, "one"},
             Case{{"", "elsewhere.test", ""}, "08004"},
             Case{{"", "", "ep-six"}, "3D000"},
             Case{{"", "", ""}, "08004"},
         }) {
        Result<std::string> endpoint = route(backplane, c.request, "db.test");
        std::string_view got =
            endpoint.ok() ? std::string_view(*endpoint) : pgwire::sqlstate_of(endpoint.error());
        EXPECT_EQ(got, c.endpoint)
            << c.request.address << " " << c.request.server_name << " " << c.request.option;
    }
}

TEST(Routing, OnlyTheFirstLabelBelowTheDomainCounts) {
    EXPECT_EQ(label_in_domain("ep-1.db.test", "db.test"), "ep-1");
    for (const char* name : {"", ".db.test", "db.test", "a.b.db.test", "ep-1.db.tests", "ep-1"})
        EXPECT_EQ(label_in_domain(name, "db.test"), "") << name;
    EXPECT_EQ(label_in_domain("ep-1.", ""), "");
}

TEST(LoginErrors, SayWhatTheServicesToolsLookFor) {
    EXPECT_NE(unknown_endpoint("x").message().find("does not exist"), std::string::npos);
    EXPECT_NE(bad_password("me").message().find("authentication failed"), std::string::npos);
    for (const Error& error : {expired_token("me"), wrong_user("me"), wrong_endpoint("me")}) {
        EXPECT_EQ(error.message(), "OAuth: User is not authorized");
        EXPECT_EQ(pgwire::sqlstate_of(error), "28P01");
        EXPECT_FALSE(error.hint().empty());
    }
}

TEST(LoginErrors, AFailedWakeKeepsOnlySqlstatesThatSayMore) {
    auto sqlstate = [](Error reason) {
        return std::string(pgwire::sqlstate_of(cannot_wake(std::move(reason))));
    };
    EXPECT_EQ(sqlstate(error(Code::internal, "x")), "57P03");
    EXPECT_EQ(sqlstate(error(Code::timed_out, "x")), "57P03");
    EXPECT_EQ(sqlstate(error(Code::no_space, "x")), "53100");
    EXPECT_EQ(sqlstate(pgwire::with_sqlstate(error(Code::internal, "x"), "55000")), "55000");
    EXPECT_EQ(cannot_wake(error(Code::internal, "x").with_hint("try y")).hint(), "try y");
}

}  // namespace
}  // namespace tarn::proxy
