#include "main/config_file.h"

#include <set>
#include <sstream>

#include "sys/small_file.h"

namespace tarn {

namespace {

// The library reads on, and guesses, where a quote or a bracket is left open, and cuts a string at
// a '#'; rather no value than another one.
Result<void> check_form(std::string_view text) {
    int line = 1;
    int brackets = 0;
    char quote = '\0';
    bool comment = false;
    for (char c : text) {
        bool string_ends_here = quote && (c == '\n' || c == '#' || c == '\\');
        if (string_ends_here)
            return error(Code::invalid_argument, "line {}: a string is not closed before {}", line,
                         c == '\n' ? "the line's end" : fmt::format("'{}'", c))
                .with_hint("strings stand in one line, without escapes and without '#'");
        if (c == '\n') {
            ++line;
            comment = false;
        } else if (comment || (quote && c != quote)) {
            continue;
        } else if (c == '"' || c == '\'') {
            quote = quote ? '\0' : c;
        } else if (c == '#') {
            comment = true;
        } else {
            brackets += (c == '[') - (c == ']');
        }
    }
    if (quote || brackets != 0)
        return error(Code::invalid_argument, "a {} is not closed", quote ? "string" : "list")
            .with_hint(quote ? "strings stand in quotes, in one line" : "lists end with a ']'");
    return {};
}

Result<void> apply(CLI::App& command, const CLI::ConfigItem& item) {
    if (!item.parents.empty())
        return error(Code::invalid_argument, "there is no table [{}]: all keys stand above any",
                     item.parents.front())
            .with_hint("leave out the line with the table's name");
    CLI::Option* option = command.get_option_no_throw("--" + item.name);
    if (!option || !option->get_configurable())
        return error(Code::invalid_argument, "there is no setting '{}'", item.name)
            .with_hint("`tarn serve --help` lists them; a key is a flag without its dashes");
    if (item.inputs.empty())
        return error(Code::invalid_argument, "'{}' has no value", item.name)
            .with_hint("write it as key = \"value\", or leave it out for the shipped one");
    if (option->count() > 0) return {};
    try {
        option->add_result(item.inputs);
        option->run_callback();
    } catch (const CLI::Error& failure) {
        return error(Code::invalid_argument, "'{}': {}", item.name, failure.what())
            .with_hint("`tarn serve --help` says what it takes");
    }
    return {};
}

Result<void> apply_all(CLI::App& command, const std::string& text) {
    TRY(check_form(text));
    std::istringstream lines(text);
    std::set<std::string> seen;
    for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_config(lines)) {
        TRY(apply(command, item));
        if (!seen.insert(item.name).second)
            return error(Code::invalid_argument, "'{}' is given twice", item.name)
                .with_hint("leave one of the two; a list stands in brackets: [\"a\", \"b\"]");
    }
    return {};
}

}  // namespace

Result<void> apply_config_file(CLI::App& command, const std::string& path) {
    auto text = sys::read_small_file(path);
    if (!text.ok() || !*text)
        return error(Code::invalid_argument, "settings of {}: {}", path,
                     text.ok() ? "there is no such file" : text.error().message())
            .with_hint(
                "--config or TARN_CONFIG names a TOML file that this user can read; without "
                "either the shipped settings hold");
    TRY_CTX(apply_all(command, **text), "settings of {}", path);
    return {};
}

}  // namespace tarn
