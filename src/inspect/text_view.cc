// text_view.cc: small files of lines: kept_from, set_aside, clean, timeline histories.

#include <sstream>
#include <vector>

#include "base/lsn.h"
#include "base/time.h"
#include "inspect/views.h"
#include "sys/files.h"

namespace tarn::inspect {

namespace {

constexpr size_t kLinesShown = 1000;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; lines.size() < kLinesShown && std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

}  // namespace

Result<Document> text_view(const Target& target) {
    std::string text = TRY(sys::read_file(sys::real_disk(), target.path));
    std::vector<std::string> lines = lines_of(text);
    Document document{{"lines", lines}};
    auto line = [&](size_t at) { return at < lines.size() ? lines[at] : std::string(); };
    bool good = true;
    if (target.kind == Kind::kept_from) {
        document["every_moment_from"] = {{"lsn", line(1)}, {"time", line(2)}};
        good = line(0) == "tarn kept_from 1" && Lsn::parse(line(1)).ok() &&
               parse_rfc3339(line(2)).ok();
    } else if (target.kind == Kind::set_aside) {
        document["not_its_past"] = {{"after", line(1)}, {"before", line(2)}};
        good = line(0) == "tarn set_aside 1" && parse_rfc3339(line(1)).ok() &&
               parse_rfc3339(line(2)).ok();
    } else if (target.kind == Kind::wal_durable) {
        document["wal_must_reach"] = line(1);
        good = line(0) == "tarn wal_durable 1" && Lsn::parse(line(1)).ok();
    } else if (target.kind == Kind::clean) {
        good = line(0) == "prepared" || line(0).starts_with("stopped ");
    }
    if (!good) add_damage(document, fmt::format("it is no {}", name_of(target.kind)));
    return document;
}

}  // namespace tarn::inspect
