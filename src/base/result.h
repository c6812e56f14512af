// result.h: Result<T>, the way every fallible function of Tarn answers.
//
// Expected failures travel as an Error: a code that callers react to, the chain of what was being
// tried, and a hint for the person who reads it. Programmer errors go through CHECK, which ends the
// process. Bytes from disk, network or API are never CHECKed.
//
//   auto file = TRY(disk.open(path));
//   TRY_CTX(file.sync(), "seal segment {}", n);
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace tarn {

enum class Code : uint8_t {
#define TARN_ERROR_CODE(name, http, api, sqlstate, exit, retry) name,
#include "base/error_codes.def"
#undef TARN_ERROR_CODE
};

struct CodeInfo {
    std::string_view name;
    int http_status;
    std::string_view api_code;  // the `error_code` of the REST contract
    std::string_view sqlstate;
    int exit_status;
    bool retryable;
};
const CodeInfo& info(Code code);

class [[nodiscard]] Error {
  public:
    Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

    Code code() const { return code_; }
    // For example "open segment 41: No space left on device".
    const std::string& message() const { return message_; }
    const std::string& hint() const { return hint_; }  // what to do next; may be empty
    int os_errno() const { return os_errno_; }
    const std::string& reason() const { return reason_; }  // machine-readable detail; may be empty

    // Puts what was being tried before the message.
    Error&& context(std::string_view doing) && {
        message_ = fmt::format("{}: {}", doing, message_);
        return std::move(*this);
    }
    Error&& with_hint(std::string hint) && {
        hint_ = std::move(hint);
        return std::move(*this);
    }
    Error&& with_errno(int number) && {
        os_errno_ = number;
        return std::move(*this);
    }
    Error&& with_reason(std::string reason) && {
        reason_ = std::move(reason);
        return std::move(*this);
    }
    // "message (hint)", for logs and the command line.
    std::string text() const {
        return hint_.empty() ? message_ : fmt::format("{} (hint: {})", message_, hint_);
    }

  private:
    Code code_;
    int os_errno_ = 0;
    std::string message_;
    std::string hint_;
    std::string reason_;
};

template <class... Args>
Error error(Code code, fmt::format_string<Args...> format, Args&&... args) {
    return Error(code, fmt::format(format, std::forward<Args>(args)...));
}
// The Error of a failed system call: its code follows the errno, its text is strerror's.
Error errno_error(int number, std::string_view doing);

template <class T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }
    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    const Error& error() const& { return std::get<1>(state_); }
    Error&& error() && { return std::get<1>(std::move(state_)); }

  private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool ok() const { return !error_.has_value(); }
    explicit operator bool() const { return ok(); }
    void value() const {}
    const Error& error() const& { return *error_; }
    Error&& error() && { return std::move(*error_); }

  private:
    std::optional<Error> error_;
};

[[noreturn]] void check_failed(const char* file, int line, const char* condition, std::string text);

}  // namespace tarn

#define TARN_CONCAT_(a, b) a##b
#define TARN_CONCAT(a, b) TARN_CONCAT_(a, b)

// Unwraps a Result or returns its Error from the enclosing function. The counter gives each use a
// variable of its own, so that a TRY may stand inside a lambda inside a TRY.
#define TRY(expression) TARN_TRY(TARN_CONCAT(try_result_, __COUNTER__), expression)
#define TARN_TRY(result, expression)                        \
    __extension__({                                         \
        auto result = (expression);                         \
        if (!result.ok()) return std::move(result).error(); \
        std::move(result).value();                          \
    })

// TRY, with what was being tried put before the message.
#define TRY_CTX(expression, ...) \
    TARN_TRY_CTX(TARN_CONCAT(try_result_, __COUNTER__), expression, __VA_ARGS__)
#define TARN_TRY_CTX(result, expression, ...)                                              \
    __extension__({                                                                        \
        auto result = (expression);                                                        \
        if (!result.ok())                                                                  \
            return std::move(std::move(result).error()).context(fmt::format(__VA_ARGS__)); \
        std::move(result).value();                                                         \
    })

// Ends the process on a programmer's error; on in every build.
#define CHECK(condition, ...)                                                                  \
    do {                                                                                       \
        if (!(condition)) [[unlikely]]                                                         \
            ::tarn::check_failed(__FILE__, __LINE__, #condition, fmt::format("" __VA_ARGS__)); \
    } while (0)
