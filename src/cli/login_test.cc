// Which server is talked to, and what is told if that cannot be found or is none.
#include "cli/login.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/client.h"

namespace tarn::cli {
namespace {

constexpr const char* kVariables[] = {"DATABRICKS_HOST", "DATABRICKS_TOKEN",
                                      "DATABRICKS_CONFIG_FILE", "DATABRICKS_CONFIG_PROFILE"};

class LoginTest : public testing::Test {
  protected:
    LoginTest() {
        for (const char* name : kVariables) ::unsetenv(name);
        std::string pattern = testing::TempDir() + "tarn-login-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        path_ = directory_ + "/databrickscfg";
        ::setenv("DATABRICKS_CONFIG_FILE", path_.c_str(), 1);
    }
    ~LoginTest() override {
        for (const char* name : kVariables) ::unsetenv(name);
        std::filesystem::remove_all(directory_);
    }
    void write(const std::string& content) const { std::ofstream(path_) << content; }
    // What find_login() says if nothing is given; "" if it finds a login.
    static std::string told() {
        auto login = find_login("", "");
        if (login) return "";
        EXPECT_EQ(login.error().code(), Code::invalid_argument);
        EXPECT_NE(login.error().hint().find("--write-profile"), std::string::npos);
        return login.error().message();
    }

    std::string directory_, path_;
};

TEST_F(LoginTest, FlagsWinOverVariablesAndThoseOverTheProfile) {
    write("[DEFAULT]\nhost = http://a:1/\ntoken = t\n[other]\nhost=http://b:2\ntoken=u\n");
    auto login = find_login("", "");
    ASSERT_TRUE(login.ok()) << login.error().text();
    EXPECT_EQ(login->host, "http://a:1");
    EXPECT_EQ(login->token, "t");
    EXPECT_EQ(login->host_from, "profile DEFAULT of " + path_);
    ::setenv("DATABRICKS_CONFIG_PROFILE", "other", 1);
    EXPECT_EQ(find_login("", "")->host, "http://b:2");
    EXPECT_EQ(find_login("", "")->token, "u");
    ::setenv("DATABRICKS_HOST", "http://c:3", 1);
    EXPECT_EQ(find_login("", "")->host, "http://c:3");
    EXPECT_EQ(find_login("", "")->token, "u");
    EXPECT_EQ(find_login("", "v")->token_from, "--token");
}

TEST_F(LoginTest, SaysWhereItLookedInVain) {
    EXPECT_NE(told().find(path_ + " is not there"), std::string::npos) << told();
    std::filesystem::create_directory(path_);
    EXPECT_NE(told().find(path_ + " cannot be read"), std::string::npos) << told();
    std::filesystem::remove(path_);
    write("[other]\nhost = http://a:1\ntoken = t\n");
    EXPECT_NE(told().find("has no profile [DEFAULT]"), std::string::npos) << told();
    write("[DEFAULT]\nhost = http://a:1\n");
    EXPECT_NE(told().find("has no token in profile [DEFAULT]"), std::string::npos) << told();
    ::setenv("DATABRICKS_TOKEN", "t", 1);
    EXPECT_EQ(told(), "");
}

// The text of the error of a request to `host`.
std::string asked(const std::string& host) {
    auto answer = Client(Login{host, "t", "the test", "the test"}).get("/");
    EXPECT_FALSE(answer.ok());
    return answer.ok() ? "" : answer.error().text();
}

TEST(Client, SaysOfWhatIsNoServerOfOursWhatToLookAt) {
    httplib::Server other;
    other.Get("/", [](const httplib::Request&, httplib::Response& to) {
        to.set_content("<html>", "text/html");
    });
    int port = other.bind_to_any_port("127.0.0.1");
    std::thread serving([&] { other.listen_after_bind(); });
    std::string host = fmt::format("http://127.0.0.1:{}", port);
    std::string told = asked(host);
    EXPECT_NE(told.find("is no Tarn server"), told.npos) << told;
    EXPECT_NE(told.find("this one is from the test"), told.npos) << told;
    std::string secret = asked(fmt::format("https://127.0.0.1:{}", port));
    EXPECT_NE(secret.find("write http://"), secret.npos) << secret;
    other.stop();
    serving.join();
    std::string gone = asked(host);
    EXPECT_NE(gone.find("nothing answers there"), gone.npos) << gone;
    EXPECT_NE(gone.find("`tarn serve`"), gone.npos) << gone;
    EXPECT_NE(asked("ftp://127.0.0.1").find("expected http://ADDRESS:PORT"), std::string::npos);
}

}  // namespace
}  // namespace tarn::cli
