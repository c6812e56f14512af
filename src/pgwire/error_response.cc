#include "pgwire/error_response.h"

#include "pgwire/message.h"

namespace tarn::pgwire {
namespace {

constexpr std::string_view kMark = "sqlstate:";

}  // namespace

Error with_sqlstate(Error error, std::string_view sqlstate) {
    return std::move(error).with_reason(std::string(kMark).append(sqlstate));
}

bool has_sqlstate(const Error& error) {
    return error.reason().size() == kMark.size() + 5 && error.reason().starts_with(kMark);
}

std::string_view sqlstate_of(const Error& error) {
    if (!has_sqlstate(error)) return info(error.code()).sqlstate;
    return std::string_view(error.reason()).substr(kMark.size());
}

std::string error_response(const ErrorFields& fields) {
    MessageWriter writer;
    writer.begin('E');
    // V is the severity that is never translated; clients that know it prefer it.
    writer.byte('S').text(fields.severity).byte('V').text(fields.severity);
    writer.byte('C').text(fields.sqlstate).byte('M').text(fields.message);
    if (!fields.detail.empty()) writer.byte('D').text(fields.detail);
    if (!fields.hint.empty()) writer.byte('H').text(fields.hint);
    return writer.byte('\0').end().take();
}

std::string error_response(const Error& error) {
    return error_response({.sqlstate = std::string(sqlstate_of(error)),
                           .message = error.message(),
                           .hint = error.hint()});
}

Result<ErrorFields> parse_error_fields(std::string_view body) {
    ErrorFields fields;
    fields.severity.clear();
    FieldReader reader(body);
    while (char type = reader.byte()) {
        std::string_view text = reader.text();
        if (type == 'S' && fields.severity.empty()) fields.severity = text;
        if (type == 'V') fields.severity = text;
        if (type == 'C') fields.sqlstate = text;
        if (type == 'M') fields.message = text;
        if (type == 'D') fields.detail = text;
        if (type == 'H') fields.hint = text;
    }
    if (!reader.ok()) return error(Code::malformed, "read error fields: the list is cut short");
    return fields;
}

}  // namespace tarn::pgwire
