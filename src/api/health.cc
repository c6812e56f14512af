#include "api/resources.h"

namespace tarn::api {

void add_health(Router& router) {
    router.add("GET", "/healthz", Access::open, [](const Request&) {
        return Result<Response>(answer({{"status", "ok"}}));
    });
}

}  // namespace tarn::api
