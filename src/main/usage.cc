#include "main/usage.h"

#include <algorithm>
#include <numeric>

namespace tarn {

namespace {

// How many letters must be changed, added, left out or exchanged with their neighbour.
size_t letters_between(std::string_view from, std::string_view to) {
    std::vector<size_t> before, last(to.size() + 1), row(to.size() + 1);
    std::iota(last.begin(), last.end(), size_t{0});
    for (size_t i = 1; i <= from.size(); ++i) {
        row[0] = i;
        for (size_t j = 1; j <= to.size(); ++j) {
            size_t changed = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
            row[j] = std::min({changed, last[j] + 1, row[j - 1] + 1});
            bool exchanged = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
            if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before = last;
        std::swap(last, row);
    }
    return last[to.size()];
}

// The command that was chosen, as deep as its words were understood: `backup list`.
struct Chosen {
    const CLI::App* command;
    std::string name;  // "tarn backup list"
};

Chosen chosen_in(const CLI::App& app) {
    Chosen chosen{&app, app.get_name()};
    for (auto below = app.get_subcommands(); !below.empty();
         below = chosen.command->get_subcommands())
        chosen = {below.back(), chosen.name + " " + below.back()->get_name()};
    return chosen;
}

// Those that its help shows.
std::vector<std::string> commands_of(const CLI::App& app) {
    std::vector<std::string> names;
    auto shown = [](const CLI::App* each) { return !each->get_group().empty(); };
    for (const CLI::App* each : app.get_subcommands(shown)) names.push_back(each->get_name());
    return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    return names;
}

std::string hint_of(const Chosen& chosen, const std::string& meant, std::string_view what) {
    std::string lists = fmt::format("`{} --help` lists {}", chosen.name, what);
    return meant.empty() ? lists : fmt::format("did you mean `{}`? {}", meant, lists);
}

Error unknown_command(const Chosen& chosen, const std::string& word) {
    std::string meant = likeliest(word, commands_of(*chosen.command));
    return error(Code::invalid_argument, "there is no command '{}'", word)
        .with_hint(hint_of(chosen, meant.empty() ? "" : chosen.name + " " + meant,
                           "the commands that there are"));
}

Error unknown_option(const Chosen& chosen, const std::string& word) {
    std::string name = word.substr(0, word.find('='));
    return error(Code::invalid_argument, "`{}` has no option '{}'", chosen.name, name)
        .with_hint(hint_of(chosen, likeliest(name, options_of(*chosen.command)), "its options"));
}

Error not_expected(const Chosen& chosen, const std::string& word) {
    if (word.size() > 1 && word.starts_with('-')) return unknown_option(chosen, word);
    auto commands = commands_of(*chosen.command);
    if (!commands.empty()) return unknown_command(chosen, word);
    return error(Code::invalid_argument, "`{}` has no use for '{}'", chosen.name, word)
        .with_hint(hint_of(chosen, "", "what it takes"));
}

}  // namespace

std::string likeliest(std::string_view word, const std::vector<std::string>& names) {
    std::string best;
    size_t least = std::max<size_t>(1, word.size() / 3) + 1;  // more would be another word
    for (const std::string& name : names) {
        size_t letters = letters_between(word, name);
        if (letters >= least) continue;
        least = letters;
        best = name;
    }
    if (!best.empty()) return best;
    // Cut short: "rec" for "recover-metadata".
    constexpr size_t kLeastLetters = 3;
    for (const std::string& name : names)
        if (word.size() >= kLeastLetters && name.starts_with(word)) return name;
    return "";
}

Error usage_error(const CLI::App& app, const CLI::ParseError& failure) {
    Chosen chosen = chosen_in(app);
    auto rest = app.remaining(true);
    auto is = [&](CLI::ExitCodes code) {
        return failure.get_exit_code() == static_cast<int>(code);
    };
    bool incomplete = is(CLI::ExitCodes::RequiredError);
    // What is missing may be there, misspelt.
    if (!rest.empty() && (incomplete || is(CLI::ExitCodes::ExtrasError)))
        return not_expected(chosen, rest.front());
    if (incomplete && chosen.command == &app)
        return error(Code::invalid_argument, "which command? One of: {}",
                     fmt::join(commands_of(app), ", "))
            .with_hint(fmt::format("`{} --help` says what each does", chosen.name));
    return error(Code::invalid_argument, "{}", failure.what())
        .with_hint(fmt::format("`{} --help` says what it takes", chosen.name));
}

}  // namespace tarn
