// Flags, environment and file as `tarn serve` reads them.
#include "main/serve_options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tarn {
namespace {

class ServeOptionsTest : public testing::Test {
  protected:
    ServeOptionsTest() {
        forget_environment();
        std::string pattern = testing::TempDir() + "tarn-options-XXXXXX";
        directory_ = mkdtemp(pattern.data());
        file_ = directory_ + "/tarn.toml";
    }
    ~ServeOptionsTest() override {
        forget_environment();
        std::filesystem::remove_all(directory_);
    }

    static void forget_environment() {
        for (const char* name :
             {"TARN_CONFIG", "TARN_DATA_DIR", "TARN_HTTP", "TARN_ADMIN", "TARN_PG_DIR"})
            ::unsetenv(name);
    }
    // `tarn serve <flags>`, with `content` as the file of --config.
    Result<ServeOptions> read(const std::string& flags, const std::string& content) {
        std::ofstream(file_) << content;
        return read("--config " + file_ + " " + flags);
    }
    static Result<ServeOptions> read(const std::string& flags) {
        CLI::App app;
        ServeOptions options;
        CLI::App* serve = app.add_subcommand("serve");
        add_serve_options(*serve, options);
        try {
            app.parse("serve " + flags);
        } catch (const CLI::ParseError& failure) {
            return error(Code::invalid_argument, "{}", failure.what());
        }
        return complete(*serve, options);
    }
    // One line, which names the file and what is wrong in it.
    void expect_refused(const std::string& content, const std::string& part) {
        auto refused = read("", content);
        ASSERT_FALSE(refused.ok()) << content;
        EXPECT_EQ(refused.error().code(), Code::invalid_argument);
        std::string text = refused.error().text();
        EXPECT_NE(text.find(file_), text.npos) << text;
        EXPECT_NE(text.find(part), text.npos) << text;
        EXPECT_EQ(text.find('\n'), text.npos) << text;
    }

    std::string directory_, file_;
};

TEST_F(ServeOptionsTest, FileSetsWhatNothingElseDoes) {
    auto options = read("", R"(# the whole of it
data-dir = "/srv/tarn data"
http = "127.0.0.1:9000"   # not 8080
pg-port = 6000
pg-dir = ["/usr/lib/a", "/usr/lib/b"]
development = true
)");
    ASSERT_TRUE(options.ok()) << options.error().text();
    EXPECT_EQ(options->data_directory, "/srv/tarn data");
    EXPECT_EQ(options->http, "127.0.0.1:9000");
    EXPECT_EQ(options->pg_port, 6000);
    EXPECT_EQ(options->postgres_directories,
              (std::vector<std::string>{"/usr/lib/a", "/usr/lib/b"}));
    EXPECT_TRUE(options->development);
    EXPECT_EQ(options->admin, ServeOptions().admin);
}

TEST_F(ServeOptionsTest, FlagWinsOverEnvironmentAndThatOverFile) {
    std::string content =
        "http = \"127.0.0.1:1\"\nadmin = \"file@x\"\naddress-block = \"127.9.0.0/16\"\n";
    ::setenv("TARN_HTTP", "127.0.0.1:2", 1);
    ::setenv("TARN_ADMIN", "environment@x", 1);
    auto options = read("--http 127.0.0.1:3", content);
    ASSERT_TRUE(options.ok()) << options.error().text();
    EXPECT_EQ(options->http, "127.0.0.1:3");
    EXPECT_EQ(options->admin, "environment@x");
    EXPECT_EQ(options->address_block, "127.9.0.0/16");
}

TEST_F(ServeOptionsTest, EnvironmentNamesTheFileToo) {
    std::ofstream(file_) << "admin = \"file@x\"\n";
    ::setenv("TARN_CONFIG", file_.c_str(), 1);
    auto options = read("");
    ASSERT_TRUE(options.ok()) << options.error().text();
    EXPECT_EQ(options->admin, "file@x");
}

TEST_F(ServeOptionsTest, WrongFileIsRefusedByNameAndKey) {
    expect_refused("htpp = \"127.0.0.1:1\"\n", "'htpp'");
    expect_refused("config = \"/else\"\n", "'config'");
    expect_refused("help = true\n", "'help'");
    expect_refused("nonsense\n", "'nonsense'");
    expect_refused("[serve]\nhttp = \"127.0.0.1:1\"\n", "[serve]");
    expect_refused("http = \"8080\"\n", "'http'");
    expect_refused("pg-port = 70000\n", "'pg-port'");
    expect_refused("pg-port = [1, 2]\n", "'pg-port'");
    expect_refused("pg-dir = []\n", "'pg-dir'");
    expect_refused("development = \"perhaps\"\n", "'development'");
    expect_refused("admin = \"a\"\nhttp = \"127.0.0.1:1\"\nadmin = \"b\"\n", "'admin'");
    expect_refused("admin = \"b@x\nhttp = \"127.0.0.1:1\"\n", "line 1");
    expect_refused("\nadmin = \"b #1@x\"\n", "line 2");
    expect_refused("pg-dir = [\"/a\"\nhttp = \"127.0.0.1:1\"\n", "list");
}

TEST_F(ServeOptionsTest, UnreadableFileIsNamed) {
    for (const std::string& path : {directory_ + "/none.toml", directory_}) {
        auto refused = read("--config " + path);
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().code(), Code::invalid_argument);
        EXPECT_NE(refused.error().message().find(path), std::string::npos);
    }
}

TEST_F(ServeOptionsTest, ValueThatCannotWorkIsRefusedWithItsFlag) {
    for (std::string flags :
         {"--http 8080", "--http 127.0.0.1:0", "--address-block 127.0.0.1", "--pg-port 0",
          "--pg-port 65536", "--pg-port x", "--shared-buffers many", "--log-level loud",
          "--network-address here"}) {
        auto refused = read(flags);
        ASSERT_FALSE(refused.ok()) << flags;
        EXPECT_NE(refused.error().message().find(flags.substr(0, flags.find(' '))),
                  std::string::npos)
            << refused.error().message();
    }
    EXPECT_FALSE(read("--tls-key /key.pem").ok());
    EXPECT_FALSE(read("--network-address 10.0.0.1").ok());
    EXPECT_FALSE(read("--network-domain db.example.com").ok());
}

TEST_F(ServeOptionsTest, PathsBecomeAbsolute) {
    auto options = read("--data-dir data --pg-dir pg --write-profile ../profile");
    ASSERT_TRUE(options.ok()) << options.error().text();
    std::string here = std::filesystem::current_path();
    EXPECT_EQ(options->data_directory, here + "/data");
    EXPECT_EQ(options->postgres_directories, std::vector{here + "/pg"});
    EXPECT_TRUE(options->profile_file.starts_with('/'));
}

TEST_F(ServeOptionsTest, OtherCommandsFindTheDataDirectoryOfTheServer) {
    auto find = [&](const std::string& flags) {
        CLI::App command;
        std::string config_file, data_directory;
        add_data_directory_options(command, config_file, data_directory);
        command.parse(flags);
        return find_data_directory(command, config_file, data_directory);
    };
    std::ofstream(file_) << "data-dir = \"/srv/of the file\"\npg-port = 6000\n";
    EXPECT_EQ(*find(""), default_home() + "/data");
    EXPECT_EQ(*find("--config " + file_), "/srv/of the file");
    EXPECT_EQ(*find("--config " + file_ + " --data-dir /srv/of/../flag"), "/srv/flag");
    ::setenv("TARN_DATA_DIR", "/srv/environment", 1);
    EXPECT_EQ(*find("--config " + file_), "/srv/environment");
    std::ofstream(file_) << "pg-prot = 6000\n";
    EXPECT_FALSE(find("--config " + file_).ok());
}

}  // namespace
}  // namespace tarn
