// probe.h: talks to a compute's PostgreSQL over its own socket, as the bootstrap superuser.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace tarn::compute {

inline constexpr const char* kBootstrapUser = "cloud_admin";

// Runs `statement` (one or several) and answers the rows of the last one, columns as text. A
// failure of the server carries its SQLSTATE as the error's reason.
Result<std::vector<std::vector<std::string>>> query(const std::string& socket_directory,
                                                    const std::string& database,
                                                    const std::string& statement);

// A statement whose answer an event loop waits for.
class PendingStatement {
  public:
    // Begins to connect; the statement is sent once that has succeeded.
    PendingStatement(const std::string& socket_directory, const std::string& database,
                     std::string statement);
    PendingStatement(PendingStatement&&) noexcept;
    PendingStatement& operator=(PendingStatement&&) noexcept;
    ~PendingStatement();

    // What to poll for, and on what; it may change with each step().
    int descriptor() const;
    short events() const;
    // Goes on after those events, and once before; true: it has been carried out.
    Result<bool> step();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tarn::compute
