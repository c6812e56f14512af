// stub_tree.h: makes a directory hold exactly a wanted set of stubs and small files, out of what it
// holds.
//
// Making a file costs ten times what giving one another length costs (the file system has to find
// an inode), and a compute has more than a thousand. So a directory that is nearly right (the last
// life's, or a spare, see spares.h) is made right instead of made anew. Whatever it holds besides
// goes.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

namespace tarn::compute {

class StubTree {
  public:
    // Paths are relative, without "." and ".."; parents come by themselves.
    void directory(const std::string& path);
    // A file of that length without a byte in it.
    void stub(std::string_view path, uint64_t length);
    // `contents` must live until apply().
    void file(std::string_view path, std::string_view contents);
    void symbolic_link(std::string_view path, std::string target);

    // Makes `root` so; it may or may not exist. Nobody else may be at work in it. Not durable:
    // scratch.
    Result<void> apply(const std::string& root);

  private:
    enum class Kind { stub, file, link };
    struct Entry {
        Kind kind = Kind::stub;
        uint64_t length = 0;
        std::string_view contents;
        std::string target;
        bool done = false;
    };
    using Entries = std::unordered_map<std::string, Entry>;

    Entry& entry(std::string_view path);
    Result<void> sweep(int directory, const std::string& whole, const std::string& path,
                       Entries& entries);
    Result<void> reuse(int directory, const std::string& name, Entry* entry);

    std::map<std::string, Entries> directories_{{"", {}}};  // parents sort before their children
};

}  // namespace tarn::compute
