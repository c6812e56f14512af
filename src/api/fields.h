// fields.h: reading a request body: every getter checks the type and names the field as the API
// does.
//
// Absent and null are the same. Unknown fields are ignored, as the service ignores them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "base/time.h"

namespace tarn::api {

// The body as a JSON object; malformed otherwise.
Result<Json> parse_body(const Request& request);

// A JSON object inside a body, and where it is. Does not own it.
class Fields {
  public:
    explicit Fields(const Json& object, std::string path = "")
        : object_(object), path_(std::move(path)) {}

    // The object under `name`; an empty one if absent.
    Result<Fields> object(std::string_view name) const;
    bool has(std::string_view name) const { return find(name) != nullptr; }

    Result<std::optional<std::string>> text(std::string_view name) const;
    Result<std::optional<bool>> boolean(std::string_view name) const;
    Result<std::optional<double>> number(std::string_view name) const;
    // Also as a quoted string, which is how some clients send it.
    Result<std::optional<int64_t>> integer(std::string_view name) const;
    Result<std::optional<Span>> duration(std::string_view name) const;
    Result<std::optional<Time>> timestamp(std::string_view name) const;
    Result<std::optional<std::map<std::string, std::string>>> text_map(std::string_view name) const;
    // The objects of an array.
    Result<std::optional<std::vector<Fields>>> objects(std::string_view name) const;

    // "spec.ttl": the full path of a field of this object.
    std::string path_of(std::string_view name) const;

  private:
    const Json* find(std::string_view name) const;
    Error wrong(std::string_view name, std::string_view expected) const;

    const Json& object_;
    std::string path_;
};

// Query parameters of the same kinds.
Result<bool> flag_parameter(const Request& request, const std::string& name);

}  // namespace tarn::api
