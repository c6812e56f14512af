#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace tarn::cli {

Table::Table(std::vector<std::string> names) {
    for (std::string& name : names) {
        right_.push_back(name.starts_with('>'));
        if (right_.back()) name.erase(0, 1);
    }
    add(std::move(names));
}

void Table::add(std::vector<std::string> cells) {
    rows_.push_back({std::move(cells), {}});
}

void Table::add_line(std::string line) {
    rows_.back().lines.push_back(std::move(line));
}

std::string Table::text() const {
    std::vector<size_t> widths(right_.size());
    for (const Row& row : rows_)
        for (size_t i = 0; i < widths.size(); ++i)
            widths[i] = std::max(widths[i], row.cells[i].size());
    std::string text;
    for (const Row& row : rows_) {
        std::string line;
        for (size_t i = 0; i < widths.size(); ++i) {
            if (i > 0) line += "  ";
            line += right_[i] ? fmt::format("{:>{}}", row.cells[i], widths[i])
                              : fmt::format("{:<{}}", row.cells[i], widths[i]);
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
        for (const std::string& below : row.lines) text += below + "\n";
    }
    return text;
}

}  // namespace tarn::cli
