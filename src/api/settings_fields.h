// settings_fields.h: the settings of computes, which projects and endpoints share.
#pragma once

#include "api/fields.h"
#include "control/endpoints.h"

namespace tarn::api {

// autoscaling_limit_*, and the oneof of suspend_timeout_duration and no_suspension.
Result<control::EndpointSettings> parse_compute_settings(const Fields& fields);

// A CU count as the service writes it: 1, not 1.0.
inline Json cu_json(double cu) {
    auto whole = static_cast<int64_t>(cu);
    if (static_cast<double>(whole) == cu) return whole;
    return cu;
}

}  // namespace tarn::api
