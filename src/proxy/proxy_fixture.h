// proxy_fixture.h: a proxy in front of a real PostgreSQL, one endpoint, one address.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "proxy/test_support.h"

namespace tarn::proxy::testing {

inline const char* kHost = "127.64.77.1";

class ProxyTest : public ::testing::Test {
  protected:
    void SetUp() override {
        TARN_NEED_POSTGRES(Server::major());
        server = &Server::get();
        directory = ::testing::TempDir() + "tarn-proxy-" + std::to_string(getpid());
        std::filesystem::create_directories(directory);
        backplane.socket_directory = server->socket_directory();
        backplane.serve(kHost, "ep-1");
        restart(options());
    }
    void TearDown() override {
        proxy.reset();
        if (!directory.empty()) std::filesystem::remove_all(directory);
    }

    Options options() const {
        Options made;
        made.port = 0;
        made.tls.directory = directory + "/tls";
        return made;
    }
    void restart(const Options& with) {
        proxy.reset();
        Result<std::unique_ptr<Proxy>> started = Proxy::start(with, backplane);
        ASSERT_TRUE(started.ok()) << started.error().text();
        proxy = std::move(started).value();
        port = proxy->add_listener(kHost).value();
    }

    // `connection` is put behind host, port, user and database, and wins over them.
    std::vector<std::string> psql(const std::string& connection, const std::string& sql) const {
        std::string all = fmt::format("host={} port={} user={} dbname={} {}", kHost, port, kUser,
                                      kDatabase, connection);
        return {"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", all, "-c", sql};
    }
    Finished run_psql(const std::string& connection, const std::string& password,
                      const std::string& sql, const std::string& input = "/dev/null") const {
        return Program(psql(connection, sql), {{"PGPASSWORD", password}, {"HOME", directory}},
                       input)
            .wait();
    }
    std::unique_ptr<Client> logged_in() const {
        auto client = std::make_unique<Client>(kHost, port);
        EXPECT_TRUE(client->start_tls());
        EXPECT_TRUE(client->log_in({{"user", kUser}, {"database", kDatabase}}, "secret"))
            << client->error.message;
        return client;
    }

    Server* server = nullptr;
    std::string directory;
    FakeBackplane backplane;
    std::unique_ptr<Proxy> proxy;
    uint16_t port = 0;
};

}  // namespace tarn::proxy::testing
