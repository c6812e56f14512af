// paths.h: paths as text.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::sys {

// From the root, without "." and "..", and without a '/' at its end.
Result<std::string> absolute_path(const std::string& path);

// Is it relative, and each of its parts a name? Then it leads nowhere else, whoever wrote it.
bool stays_below(std::string_view path);

}  // namespace tarn::sys
