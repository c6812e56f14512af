#include "api/fields.h"
#include "api/resources.h"

namespace tarn::api {

// Not an operation: the answer is the credential itself.
void add_credentials(Router& router, control::Control& control) {
    router.add(
        "POST", fmt::format("{}credentials", kPostgres), Access::bearer,
        [&](const Request& request) -> Result<Response> {
            Json body = TRY(parse_body(request));
            Fields fields(body);
            if (fields.has("claims") && !TRY(fields.objects("claims"))->empty())
                return error(Code::invalid_argument, "Unsupported permission set");
            control::CredentialRequest wanted{.endpoint = TRY(fields.text("endpoint")).value_or(""),
                                              .ttl = TRY(fields.duration("ttl")),
                                              .expire_time = TRY(fields.timestamp("expire_time"))};
            auto made = TRY(control.credentials.generate(request.caller, wanted));
            return answer({{"token", made.token}, {"expire_time", rfc3339(made.expire_time)}});
        });
}

}  // namespace tarn::api
