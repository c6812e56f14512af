#include "base/result.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace tarn {

const CodeInfo& info(Code code) {
    static constexpr CodeInfo table[] = {
#define TARN_ERROR_CODE(name, http, api, sqlstate, exit, retry) \
    {#name, http, api, sqlstate, exit, retry},
#include "base/error_codes.def"
#undef TARN_ERROR_CODE
    };
    return table[static_cast<size_t>(code)];
}

namespace {

Code code_of_errno(int number) {
    switch (number) {
        case ENOENT:
            return Code::not_found;
        case EEXIST:
            return Code::already_exists;
        case ENOSPC:
        case EDQUOT:
            return Code::no_space;
        case EACCES:
        case EPERM:
        case EROFS:
            return Code::permission_denied;
        case EAGAIN:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            return Code::unavailable;
        case ETIMEDOUT:
            return Code::timed_out;
        default:
            return Code::io_error;
    }
}

}  // namespace

Error errno_error(int number, std::string_view doing) {
    Error failure(code_of_errno(number),
                  fmt::format("{}: {}", doing, std::generic_category().message(number)));
    const char* hint = failure.code() == Code::no_space ? "free some space on that disk" : "";
    return std::move(failure).with_hint(hint).with_errno(number);
}

void check_failed(const char* file, int line, const char* condition, std::string text) {
    std::fprintf(stderr, "%s:%d: check failed: %s %s\n", file, line, condition, text.c_str());
    std::abort();
}

}  // namespace tarn
