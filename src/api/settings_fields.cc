#include "api/settings_fields.h"

namespace tarn::api {

Result<control::EndpointSettings> parse_compute_settings(const Fields& fields) {
    control::EndpointSettings settings;
    settings.min_cu = TRY(fields.number("autoscaling_limit_min_cu"));
    settings.max_cu = TRY(fields.number("autoscaling_limit_max_cu"));
    settings.suspend = TRY(fields.duration("suspend_timeout_duration"));
    if (auto no_suspension = TRY(fields.boolean("no_suspension"))) {
        if (!*no_suspension)
            return error(Code::invalid_argument, "Field '{}' can only be true.",
                         fields.path_of("no_suspension"));
        if (settings.suspend && *settings.suspend != control::kNever)
            return error(Code::invalid_argument, "Only one of '{}' and '{}' may be given.",
                         fields.path_of("suspend_timeout_duration"),
                         fields.path_of("no_suspension"));
        settings.suspend = control::kNever;
    }
    return settings;
}

}  // namespace tarn::api
