#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "meta/meta.h"

namespace tarn::meta {

enum class EndpointType : uint8_t { read_write, read_only };

struct EndpointRow {
    std::string uid;  // "ep-...", never reused
    std::string branch_uid;
    std::string id;
    EndpointType type = EndpointType::read_write;
    std::string address;  // loopback address where the proxy answers for it
    double min_cu = 0;
    double max_cu = 0;
    Span suspend{};  // idle time until it is suspended; 0: never
    bool disabled = false;
    std::string pg_settings;  // JSON object of strings
    Time create_time;
    Time update_time;
    std::optional<Time> last_active_time;
};

Result<void> insert_endpoint(Session& session, const EndpointRow& row);
Result<void> update_endpoint(Session& session, const EndpointRow& row);  // by uid
Result<void> touch_endpoint(Session& session, std::string_view uid, Time last_active);
Result<std::optional<EndpointRow>> get_endpoint(Session& session, std::string_view uid);
Result<std::optional<EndpointRow>> find_endpoint(Session& session, std::string_view branch_uid,
                                                 std::string_view id_or_uid);
Result<std::optional<EndpointRow>> endpoint_at(Session& session, std::string_view address);
// The read-write one first, then in order of id.
Result<std::vector<EndpointRow>> list_endpoints(Session& session, std::string_view branch_uid);
// Every endpoint, also of deleted branches: they keep uid and address until the purge.
Result<std::vector<EndpointRow>> all_endpoints(Session& session);

}  // namespace tarn::meta
