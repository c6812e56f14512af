#include "pg/history_file.h"

#include "base/number.h"

namespace tarn::pg {

namespace {

// Takes the next piece up to `separator` off the front; the whole rest if there is none.
std::string_view take_until(std::string_view& text, std::string_view separators) {
    auto end = std::min(text.find_first_of(separators), text.size());
    auto piece = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return piece;
}

std::string_view trimmed(std::string_view text) {
    auto begin = text.find_first_not_of(" \t\r");
    if (begin == text.npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

Result<HistoryEntry> parse_entry(std::string_view line) {
    HistoryEntry entry;
    std::string_view rest = line;
    entry.tli = parse_number<uint32_t>(take_until(rest, " \t")).value_or(0);
    if (entry.tli == 0)
        return error(Code::data_loss, "line '{}' does not begin with a timeline", line);
    rest = trimmed(rest);
    auto point = Lsn::parse(take_until(rest, " \t"));
    if (!point.ok() || !point->valid())
        return error(Code::data_loss, "line '{}' has no switch point", line);
    entry.switch_point = *point;
    entry.reason = trimmed(rest);
    return entry;
}

}  // namespace

Result<TimelineHistory> parse_history(uint32_t tli, std::string_view text) {
    TimelineHistory history{.tli = tli, .ancestors = {}};
    while (!text.empty()) {
        auto line = trimmed(take_until(text, "\n"));
        if (line.empty() || line.front() == '#') continue;
        auto entry = TRY_CTX(parse_entry(line), "read the history of timeline {}", tli);
        if (!history.ancestors.empty() && entry.tli <= history.ancestors.back().tli)
            return error(Code::data_loss,
                         "read the history of timeline {}: timeline {} comes after {}", tli,
                         entry.tli, history.ancestors.back().tli);
        if (entry.tli >= tli)
            return error(Code::data_loss,
                         "read the history of timeline {}: timeline {} is no older one", tli,
                         entry.tli);
        history.ancestors.push_back(std::move(entry));
    }
    return history;
}

}  // namespace tarn::pg
