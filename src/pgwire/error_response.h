// error_response.h: ErrorResponse, and how an Error of ours gets its SQLSTATE.
//
// The table of codes gives every Error a SQLSTATE. Where a client must see a finer one (28P01 for a
// wrong password, 3D000 for a missing database), the Error carries it as reason "sqlstate:28P01".
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace tarn::pgwire {

// Marks `error` so that a client sees `sqlstate` (five characters of 0-9 and A-Z).
Error with_sqlstate(Error error, std::string_view sqlstate);
// What a client is told: the mark of with_sqlstate, else the table's SQLSTATE for the code.
std::string_view sqlstate_of(const Error& error);
bool has_sqlstate(const Error& error);

// The fields of an ErrorResponse that Tarn writes and reads.
struct ErrorFields {
    std::string severity = "FATAL";
    std::string sqlstate = {};
    std::string message = {};
    std::string detail = {};
    std::string hint = {};
};

std::string error_response(const ErrorFields& fields);
std::string error_response(const Error& error);  // FATAL

// Reads the body of one; malformed if it is not a list of fields.
Result<ErrorFields> parse_error_fields(std::string_view body);

}  // namespace tarn::pgwire
