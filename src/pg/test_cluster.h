// test_cluster.h: a real PostgreSQL cluster for tests, made by stock initdb, driven through a stock
// single-user backend. Test code only; other folders may link tarn_pg_testing.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tarn::pg::testing {

// The directory with postgres and initdb of `major`: TARN_TEST_PG_<major>, else what script/setup
// uses or installs. nullopt if there is none.
std::optional<std::string> find_binaries(int major);
// What is missing, and what to do about it.
std::string missing_binaries(int major);

// For SetUp(): a test whose PostgreSQL is missing fails. script/setup installs every major.
#define TARN_NEED_POSTGRES(major)                                      \
    ASSERT_TRUE(::tarn::pg::testing::find_binaries(major).has_value()) \
        << ::tarn::pg::testing::missing_binaries(major)

std::vector<std::byte> read_file(const std::string& path);  // empty if it cannot be read
bool write_file(const std::string& path, const void* data, size_t size);

// A `postgres --single`: there are no other processes, and what it wrote stays as it is when
// killed.
class Backend {
  public:
    Backend(Backend&& other) noexcept;
    Backend& operator=(Backend&&) = delete;
    ~Backend();

    // Runs one statement, which must not hold a newline; the values of its rows, in order, NULLs
    // left out. An SQL error ends the backend.
    Result<std::vector<std::string>> query(std::string_view sql);
    // The only value, "" and a test failure if there is another number of them.
    std::string value(std::string_view sql);
    void run(std::string_view sql);  // a test failure if it fails

    void kill();    // SIGKILL: as a crash
    void finish();  // end of input: shuts down with a checkpoint

  private:
    friend class Cluster;
    Backend() = default;
    Result<std::string> until_prompt();

    pid_t process_ = -1;
    int input_ = -1;
    int output_ = -1;
    std::string log_path_;
};

class Cluster {
  public:
    // Runs initdb (as an unprivileged user if this process is root) in a new temporary directory.
    static Result<Cluster> create(int major, std::vector<std::string> initdb_options = {});
    Cluster(Cluster&& other) noexcept;
    Cluster& operator=(Cluster&&) = delete;
    ~Cluster();  // stops what runs and removes the directory

    // `settings` are "name=value".
    Result<Backend> start(const std::vector<std::string>& settings = {});
    // Starts, promotes or stops a server with many processes, which listens on a Unix socket only
    // and dies with this one; waits until that is done. The error's text holds the server's log.
    Result<void> start_server(const std::vector<std::string>& settings = {});
    Result<void> promote_server();
    Result<void> stop_server();  // with a checkpoint

    int major() const { return major_; }
    const std::string& data() const { return data_; }              // PGDATA
    const std::string& socket_directory() const { return root_; }  // of the server

  private:
    Cluster() = default;
    bool is_ready() const;

    int major_ = 0;
    pid_t postmaster_ = -1;
    std::string binaries_;
    std::string root_;
    std::string data_;
};

}  // namespace tarn::pg::testing
