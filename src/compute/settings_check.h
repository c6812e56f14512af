// settings_check.h: would PostgreSQL start with these settings?
//
// Asked before a running compute is stopped for them: PostgreSQL itself is the judge, in an empty
// directory of its own. Two of its ways are needed, which stop after different checks: one reads
// the settings and takes the shared memory, the other checks them against each other and against
// the control file.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "compute/spec.h"
#include "compute/user.h"

namespace tarn::compute {

// `spec` with a scratch directory, which is made and removed. `control`: the bytes of a control
// file of that major; "" where there is none yet, and the second way is left out. invalid_argument,
// in PostgreSQL's own words, if it refuses.
Result<void> check_settings(const SuperviseSpec& spec, const ComputeUser& user,
                            const std::string& control);

// PostgreSQL's reason in what it printed before it ended; "" if there is none.
struct Refusal {
    std::string message;
    std::string hint;
};
Refusal refusal_in(std::string_view printed);

}  // namespace tarn::compute
