// document.h: what a view says, as an ordered JSON object, and the same for a person.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::inspect {

using Document = nlohmann::ordered_json;

// Key of the list of what is wrong with the bytes; each entry is a sentence.
inline constexpr const char* kDamage = "damage";

void add_damage(Document& document, std::string text);
// Does it, or a part of it, tell of damage?
bool has_damage(const Document& document);

// One line of JSON; bytes that are no UTF-8 are replaced.
std::string as_json(const Document& document);
// "key: value" lines and tables. Nothing in it can steer a terminal.
std::string as_text(const Document& document);

// 1536 -> "1.5 KiB".
std::string size_text(uint64_t bytes);

}  // namespace tarn::inspect
