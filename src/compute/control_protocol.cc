#include "compute/control_protocol.h"

#include <nlohmann/json.hpp>

namespace tarn::compute {

using nlohmann::json;

namespace {

constexpr std::string_view kPhases[] = {"starting", "running", "stopping",
                                        "stopped",  "crashed", "failed"};
constexpr std::string_view kOrders[] = {"stop", "kill", "restore_point"};

template <class Enum, size_t N>
std::optional<Enum> find(const std::string_view (&names)[N], const std::string& name) {
    for (size_t i = 0; i < N; ++i)
        if (names[i] == name) return static_cast<Enum>(i);
    return std::nullopt;
}

Code code_named(const std::string& name) {
    for (int i = 0; i <= static_cast<int>(Code::internal); ++i)
        if (info(static_cast<Code>(i)).name == name) return static_cast<Code>(i);
    return Code::internal;
}

// A message may quote bytes of any kind; they must not make the line impossible.
std::string line(const json& object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string_view phase_name(Phase phase) {
    return kPhases[static_cast<size_t>(phase)];
}
bool is_final(Phase phase) {
    return phase >= Phase::stopped;
}

std::string encode(const PhaseReport& report) {
    return line({{"state", phase_name(report.phase)},
                 {"reason", report.reason},
                 {"code", info(report.code).name},
                 {"hint", report.hint},
                 {"since", rfc3339(report.since)},
                 {"postgres", report.postgres_pid}});
}

std::string encode(const Request& request) {
    return line({{"id", request.id}, {"do", kOrders[static_cast<size_t>(request.order)]}});
}

std::string encode(const Reply& reply) {
    json object{{"reply", reply.id}, {"ok", !reply.failure}};
    if (reply.failure) {
        object["code"] = info(reply.failure->code()).name;
        object["message"] = reply.failure->message();
        object["hint"] = reply.failure->hint();
    }
    return line(object);
}

Result<Request> decode_request(const std::string& text) {
    try {
        auto object = json::parse(text);
        auto word = object.at("do").get<std::string>();
        auto order = find<Order>(kOrders, word);
        if (!order) return error(Code::malformed, "a supervisor knows no order `{}`", word);
        return Request{object.at("id").get<int64_t>(), *order};
    } catch (const json::exception& failure) {
        return error(Code::malformed, "a request to a supervisor: {}", failure.what());
    }
}

Result<SupervisorLine> decode_supervisor_line(const std::string& text) {
    try {
        auto object = json::parse(text);
        SupervisorLine decoded;
        if (object.contains("reply")) {
            Reply reply{object.at("reply").get<int64_t>(), std::nullopt};
            if (!object.at("ok").get<bool>())
                reply.failure = Error(code_named(object.at("code").get<std::string>()),
                                      object.at("message").get<std::string>())
                                    .with_hint(object.at("hint").get<std::string>());
            decoded.reply = std::move(reply);
            return decoded;
        }
        auto word = object.at("state").get<std::string>();
        auto phase = find<Phase>(kPhases, word);
        if (!phase) return error(Code::malformed, "a supervisor in the unknown state `{}`", word);
        PhaseReport report;
        report.phase = *phase;
        report.reason = object.at("reason").get<std::string>();
        report.code = code_named(object.at("code").get<std::string>());
        report.hint = object.at("hint").get<std::string>();
        report.since = TRY(parse_rfc3339(object.at("since").get<std::string>()));
        report.postgres_pid = object.at("postgres").get<int>();
        decoded.report = std::move(report);
        return decoded;
    } catch (const json::exception& failure) {
        return error(Code::malformed, "a line from a supervisor: {}", failure.what());
    }
}

}  // namespace tarn::compute
