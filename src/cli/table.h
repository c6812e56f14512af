// table.h: columns as wide as what stands in them.
#pragma once

#include <string>
#include <vector>

namespace tarn::cli {

class Table {
  public:
    // A name that begins with '>' is of a column that ends at the right, as numbers do.
    explicit Table(std::vector<std::string> names);

    // As many cells as there are names.
    void add(std::vector<std::string> cells);
    // A line of its own below the last row.
    void add_line(std::string line);

    std::string text() const;

  private:
    struct Row {
        std::vector<std::string> cells;
        std::vector<std::string> lines;  // below it
    };
    std::vector<bool> right_;
    std::vector<Row> rows_;  // the names first
};

}  // namespace tarn::cli
