// session.h: settings under which both sides write the same value as the same text, whatever their
// databases and roles are set to.
#pragma once

#include <string>

namespace tarn::diff {

inline const std::string& session_settings() {
    static const std::string kSettings =
        "SET search_path = pg_catalog; SET row_security = off; SET timezone = 'UTC'; "
        "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; "
        "SET bytea_output = 'hex'; SET xmlbinary = 'base64'; SET lc_monetary = 'C'; "
        "SET standard_conforming_strings = on; SET quote_all_identifiers = off; "
        "SET statement_timeout = 0; SET max_parallel_workers_per_gather = 0; ";
    return kSettings;
}

}  // namespace tarn::diff
