// What a command line that is wrong is told.
#include "main/usage.h"

#include <gtest/gtest.h>

namespace tarn {
namespace {

// The text of the error that `words` end with; "" if they can be run.
std::string told(const std::string& words) {
    CLI::App app{"", "tarn"};
    app.require_subcommand(1);
    std::string http, from;
    int port = 0;
    CLI::App* serve = app.add_subcommand("serve");
    serve->add_option("--http", http);
    serve->add_option("--pg-port", port)->check(CLI::Range(1, 65535));
    app.add_subcommand("status");
    app.add_subcommand("recover-metadata");
    app.add_subcommand("supervise")->group("");
    CLI::App* backup = app.add_subcommand("backup");
    backup->add_option("--to", from);
    CLI::App* restore = backup->add_subcommand("restore");
    restore->add_option("--data-dir", from)->required();
    try {
        app.parse(words);
    } catch (const CLI::ParseError& failure) {
        Error error = usage_error(app, failure);
        EXPECT_EQ(error.code(), Code::invalid_argument) << words;
        EXPECT_NE(error.hint(), "") << words;
        return error.text();
    }
    return "";
}

TEST(Usage, NamesTheWrongWordAndTheLikeliestRightOne) {
    struct Case {
        const char* words;
        const char* wrong;
        const char* right;
    };
    for (const Case& each : std::initializer_list<Case>{
             {"stauts", "no command 'stauts'", "`tarn status`"},
             {"Status", "no command 'Status'", "`tarn status`"},
             {"recover", "no command 'recover'", "`tarn recover-metadata`"},
             {"nonsense --http 1", "no command 'nonsense'", "`tarn --help` lists the commands"},
             {"--htpt 1", "`tarn` has no option '--htpt'", "`tarn --help`"},
             {"serve --htpt 1", "`tarn serve` has no option '--htpt'", "`--http`"},
             {"serve --pgport=1", "has no option '--pgport'", "`--pg-port`"},
             {"serve extra", "`tarn serve` has no use for 'extra'", "`tarn serve --help`"},
             {"backup restor", "no command 'restor'", "`tarn backup restore`"},
             {"backup restore --data-dri x", "no option '--data-dri'", "`--data-dir`"},
             {"serve --pg-port 0", "--pg-port: Value 0", "`tarn serve --help`"},
             {"backup restore", "--data-dir is required", "`tarn backup restore --help`"},
             {"", "One of: serve, status, recover-metadata, backup", "`tarn --help`"},
         }) {
        std::string text = told(each.words);
        EXPECT_NE(text.find(each.wrong), text.npos) << each.words << ": " << text;
        EXPECT_NE(text.find(each.right), text.npos) << each.words << ": " << text;
    }
    EXPECT_EQ(told("serve --http 1"), "");
}

TEST(Usage, GuessesOnlyWhatIsAlike) {
    std::vector<std::string> names{"serve", "status", "inspect"};
    EXPECT_EQ(likeliest("insepct", names), "inspect");
    EXPECT_EQ(likeliest("ins", names), "inspect");
    EXPECT_EQ(likeliest("start", names), "");
    EXPECT_EQ(likeliest("s", names), "");
    EXPECT_EQ(likeliest("", names), "");
}

}  // namespace
}  // namespace tarn
