#include "api/fields.h"

#include "base/number.h"

namespace tarn::api {

namespace {

const Json kEmptyObject = Json::object();

}  // namespace

Result<Json> parse_body(const Request& request) {
    Json body = Json::parse(request.body, nullptr, false);
    if (!body.is_object())
        return error(Code::malformed,
                     "Could not parse request object: expected a JSON object, such "
                     "as {{\"spec\": {{}}}}.");
    return body;
}

const Json* Fields::find(std::string_view name) const {
    auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

Error Fields::wrong(std::string_view name, std::string_view expected) const {
    return error(Code::invalid_argument, "Field '{}' must be {}.", path_of(name), expected);
}

Result<Fields> Fields::object(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return Fields(kEmptyObject, path_of(name));
    if (!value->is_object()) return wrong(name, "an object");
    return Fields(*value, path_of(name));
}

Result<std::optional<std::string>> Fields::text(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::optional<std::string>();
    if (!value->is_string()) return wrong(name, "a string");
    return std::optional(value->get<std::string>());
}

Result<std::optional<bool>> Fields::boolean(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::optional<bool>();
    if (!value->is_boolean()) return wrong(name, "true or false");
    return std::optional(value->get<bool>());
}

Result<std::optional<double>> Fields::number(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::optional<double>();
    if (!value->is_number()) return wrong(name, "a number");
    return std::optional(value->get<double>());
}

Result<std::optional<int64_t>> Fields::integer(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::optional<int64_t>();
    if (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX)
        return wrong(name, "a 64-bit integer");
    if (value->is_number_integer()) return std::optional(value->get<int64_t>());
    if (value->is_string()) {
        auto parsed = parse_number<int64_t>(value->get_ref<const std::string&>());
        if (parsed) return parsed;
    }
    return wrong(name, "an integer");
}

Result<std::optional<Span>> Fields::duration(std::string_view name) const {
    auto written = TRY(text(name));
    if (!written) return std::optional<Span>();
    auto parsed = parse_duration(*written);
    if (!parsed.ok())
        return error(Code::invalid_argument, "Field '{}': {}", path_of(name),
                     parsed.error().message());
    return std::optional(*parsed);
}

Result<std::optional<Time>> Fields::timestamp(std::string_view name) const {
    auto written = TRY(text(name));
    if (!written) return std::optional<Time>();
    auto parsed = parse_rfc3339(*written);
    if (!parsed.ok())
        return error(Code::invalid_argument, "Field '{}': {}", path_of(name),
                     parsed.error().message());
    return std::optional(*parsed);
}

Result<std::optional<std::map<std::string, std::string>>> Fields::text_map(
    std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::optional<std::map<std::string, std::string>>();
    if (!value->is_object()) return wrong(name, "an object of strings");
    std::map<std::string, std::string> entries;
    for (const auto& [key, entry] : value->items()) {
        if (!entry.is_string()) return wrong(name, "an object of strings");
        entries[key] = entry.get<std::string>();
    }
    return std::optional(std::move(entries));
}

Result<std::optional<std::vector<Fields>>> Fields::objects(std::string_view name) const {
    const Json* value = find(name);
    if (!value) return std::optional<std::vector<Fields>>();
    if (!value->is_array()) return wrong(name, "an array of objects");
    std::vector<Fields> items;
    for (const Json& item : *value) {
        if (!item.is_object()) return wrong(name, "an array of objects");
        items.emplace_back(item, fmt::format("{}[{}]", path_of(name), items.size()));
    }
    return std::optional(std::move(items));
}

Result<bool> flag_parameter(const Request& request, const std::string& name) {
    const std::string& value = request.parameter(name);
    if (value == "true" || value == "True" || value == "1") return true;
    if (value.empty() || value == "false" || value == "False" || value == "0") return false;
    return error(Code::invalid_argument, "Parameter '{}' must be true or false, got '{}'.", name,
                 value.substr(0, 100));
}

}  // namespace tarn::api
