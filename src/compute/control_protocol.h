// control_protocol.h: what a server and the supervisor of a compute say to each other over the unix
// socket in the compute's run directory: one JSON object a line, either way.
//
//   server:     {"id": 7, "do": "stop"}
//   supervisor: {"reply": 7, "ok": true}
//               {"reply": 7, "ok": false, "code": "data_loss", "message": "...", "hint": "..."}
//               {"state": "running", "reason": "", "since": "...", ...}  on connecting and on each
//               change
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace tarn::compute {

// The supervisor's own states; the last three are final.
enum class Phase { starting, running, stopping, stopped, crashed, failed };
std::string_view phase_name(Phase phase);
bool is_final(Phase phase);

struct PhaseReport {
    Phase phase = Phase::starting;
    std::string reason;
    Code code = Code::internal;  // of a failure
    std::string hint;
    Time since;
    int postgres_pid = 0;
};

enum class Order {
    stop,           // fast stop; answered when the last restore point is kept
    kill,           // end at once
    restore_point,  // answered when every seal that was taken before is a restore point
};

struct Request {
    int64_t id = 0;
    Order order = Order::stop;
};

struct Reply {
    int64_t id = 0;
    std::optional<Error> failure;
};

// One line each, with its newline.
std::string encode(const PhaseReport& report);
std::string encode(const Request& request);
std::string encode(const Reply& reply);

Result<Request> decode_request(const std::string& line);
struct SupervisorLine {  // one of the two
    std::optional<PhaseReport> report;
    std::optional<Reply> reply;
};
Result<SupervisorLine> decode_supervisor_line(const std::string& line);

// The longest line either side accepts.
constexpr size_t kControlLineBytes = 65536;

}  // namespace tarn::compute
