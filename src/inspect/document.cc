#include "inspect/document.h"

#include <algorithm>
#include <vector>

namespace tarn::inspect {

namespace {

constexpr int kIndent = 2;

// Stored bytes may be anything: what is not printable is written as \xNN.
std::string printable(std::string_view text) {
    std::string out;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f && byte < 0x80)
            out += c;
        else
            out += fmt::format("\\x{:02x}", byte);
    }
    return out;
}

std::string scalar_text(const Document& value) {
    if (value.is_string()) return printable(value.get_ref<const std::string&>());
    if (value.is_null()) return "-";
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    return value.dump();
}

bool is_table(const Document& value) {
    return value.is_array() && !value.empty() &&
           std::all_of(value.begin(), value.end(), [](const Document& row) {
               return row.is_object() &&
                      std::all_of(row.begin(), row.end(),
                                  [](const Document& cell) { return cell.is_primitive(); });
           });
}

void add_table(std::string& out, const Document& rows, int indent) {
    std::vector<std::string> names;
    for (const Document& row : rows)
        for (const auto& [name, cell] : row.items())
            if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    std::vector<std::vector<std::string>> lines{names};
    for (const Document& row : rows) {
        auto& line = lines.emplace_back();
        for (const std::string& name : names)
            line.push_back(row.contains(name) ? scalar_text(row[name]) : "-");
    }
    std::vector<size_t> widths(names.size());
    for (const auto& line : lines)
        for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    for (const auto& line : lines) {
        std::string text(static_cast<size_t>(indent), ' ');
        for (size_t i = 0; i < line.size(); ++i)
            text += fmt::format("{:<{}}  ", line[i], widths[i]);
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + "\n";
    }
}

void add(std::string& out, const Document& value, int indent);

void add_member(std::string& out, const std::string& name, const Document& value, int indent) {
    std::string begin = std::string(static_cast<size_t>(indent), ' ') + printable(name) + ":";
    if (value.is_primitive()) {
        out += begin + " " + scalar_text(value) + "\n";
    } else if (value.empty()) {
        out += begin + " none\n";
    } else {
        out += begin + "\n";
        add(out, value, indent + kIndent);
    }
}

void add(std::string& out, const Document& value, int indent) {
    if (is_table(value)) return add_table(out, value, indent);
    if (value.is_object()) {
        for (const auto& [name, member] : value.items()) add_member(out, name, member, indent);
        return;
    }
    std::string begin(static_cast<size_t>(indent), ' ');
    for (const Document& each : value) {
        if (each.is_primitive()) {
            out += begin + scalar_text(each) + "\n";
        } else {
            out += begin + "-\n";
            add(out, each, indent + kIndent);
        }
    }
}

}  // namespace

void add_damage(Document& document, std::string text) {
    document[kDamage].push_back(std::move(text));
}

bool has_damage(const Document& document) {
    if (document.is_object() && document.contains(kDamage)) return true;
    return document.is_structured() && std::any_of(document.begin(), document.end(), has_damage);
}

std::string as_json(const Document& document) {
    return document.dump(-1, ' ', false, Document::error_handler_t::replace) + "\n";
}

std::string as_text(const Document& document) {
    std::string out;
    add(out, document, 0);
    return out;
}

std::string size_text(uint64_t bytes) {
    constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace tarn::inspect
