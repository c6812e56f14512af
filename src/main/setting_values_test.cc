#include "main/setting_values.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tarn {
namespace {

TEST(HttpAddress, IsHostAndPort) {
    struct Case {
        const char* text;
        const char* host;
        int port;
    };
    for (auto [text, host, port] :
         {Case{"127.0.0.1:8080", "127.0.0.1", 8080}, Case{"localhost:1", "localhost", 1},
          Case{"0.0.0.0:65535", "0.0.0.0", 65535}, Case{"[::1]:8080", "::1", 8080}}) {
        auto parsed = parse_http_address(text);
        ASSERT_TRUE(parsed.ok()) << parsed.error().text();
        EXPECT_EQ(parsed->host, host);
        EXPECT_EQ(parsed->port, port);
    }
}

TEST(HttpAddress, OfAnotherFormIsRefusedWithAnExample) {
    for (const char* text :
         {"", ":", "8080", "127.0.0.1", "127.0.0.1:", ":8080", "127.0.0.1:0", "127.0.0.1:65536",
          "127.0.0.1:-1", "127.0.0.1:80x", "127.0.0.1: 80", "::1:8080", "[::1]", "[::1:8080",
          "http://127.0.0.1:8080", "127.0.0.1:8080/", "a b:80"}) {
        auto parsed = parse_http_address(text);
        ASSERT_FALSE(parsed.ok()) << text;
        EXPECT_EQ(parsed.error().code(), Code::invalid_argument);
        EXPECT_NE(parsed.error().message().find(text), std::string::npos);
        EXPECT_NE(parsed.error().hint().find("127.0.0.1:8080"), std::string::npos);
    }
}

TEST(SharedBuffers, AreReadAsPostgresqlReadsThem) {
    EXPECT_EQ(parse_shared_buffers("128MB").value(), 128u << 20);
    EXPECT_EQ(parse_shared_buffers("128kB").value(), 128u << 10);
    EXPECT_EQ(parse_shared_buffers("1.5 GB").value(), 3u << 29);
    EXPECT_EQ(parse_shared_buffers("16384").value(), 128u << 20);
    for (const char* text : {"", "MB", "lots", "128mb", "128M", "-1GB", "127kB", "1", "9TB", "1e9",
                             "1..2GB", "1 GB x", "999999999999999999999999999999TB"})
        EXPECT_FALSE(parse_shared_buffers(text).ok()) << text;
}

TEST(DiskLimit, IsAutoOrASize) {
    EXPECT_EQ(parse_disk_limit("auto").value(), std::nullopt);
    EXPECT_EQ(parse_disk_limit("0").value(), 0u);
    EXPECT_EQ(parse_disk_limit("512MB").value(), 512u << 20);
    EXPECT_EQ(parse_disk_limit("1.5 GB").value(), 3u << 29);
    for (const char* text : {"", "5%", "512", "lots", "-1GB", "1e9TB", "9999999TB"})
        EXPECT_FALSE(parse_disk_limit(text).ok()) << text;
}

TEST(TakenPort, IsToldWithTheSettingsThatChooseAnother) {
    auto taken = errno_error(EADDRINUSE, "listen").with_hint("stop it, or choose another port");
    EXPECT_EQ(naming_settings(std::move(taken), "--http").hint(),
              "stop it, or choose another port (--http)");
    EXPECT_EQ(naming_settings(errno_error(EADDRINUSE, "listen"), "--http").hint(),
              "choose another port (--http)");
    auto far = errno_error(EADDRNOTAVAIL, "listen").with_hint("name another");
    EXPECT_EQ(naming_settings(std::move(far), "--http").hint(), "name another (--http)");
    EXPECT_EQ(naming_settings(errno_error(EIO, "listen"), "--http").hint(), "");
}

}  // namespace
}  // namespace tarn
