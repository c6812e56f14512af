// verify_text.h: what a verification has found, in words.
#pragma once

#include <string>

#include "compute/verify_findings.h"

namespace tarn::compute {

// "block 12 of base/5/16384: page of slot 7 ... (FILE at byte N); restore points: ...; moments:
// ...": one line.
std::string damage_text(const Damage& damage);

// "damages: 3; its newest whole moment is 0/3000100 (2026-11-22T10:00:00Z)". `shown`: how many of
// the damages are.
std::string summary_text(const LineageFindings& findings, size_t shown);

}  // namespace tarn::compute
