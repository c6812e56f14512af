#include "api/fields.h"
#include "api/resources.h"

namespace tarn::api {

void add_restore_checks(Router& router, control::Control& control) {
    router.add(
        "POST", fmt::format("{}projects/*/branches/*:check-restore", kPostgres), Access::bearer,
        [&](const Request& request) -> Result<Response> {
            Json body = TRY(parse_body(request));
            // What is misspelt would check another moment than was meant.
            for (const auto& [key, value] : body.items())
                if (key != "time" || value.is_null() || value == "")
                    return error(Code::invalid_argument, "Unknown or empty field '{}'.",
                                 key.substr(0, 100))
                        .with_hint("the only field is time");
            control::RestoreCheckDraft draft;
            draft.project = request.captures[0];
            draft.branch = request.captures[1];
            draft.at_time = TRY(Fields(body).timestamp("time"));
            auto view = TRY(control.restore_checks.make(draft));
            Json json = json_of(view.row);
            json["branch"] = view.branch;
            return answer(std::move(json));
        });
}

}  // namespace tarn::api
