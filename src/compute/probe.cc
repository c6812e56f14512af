#include "compute/probe.h"

#include <libpq-fe.h>
#include <poll.h>

#include <memory>

namespace tarn::compute {

namespace {

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string trimmed(const char* text) {
    std::string result = text ? text : "";
    while (!result.empty() && result.back() == '\n') result.pop_back();
    return result;
}

// Calls `begin` of libpq with the parameters of a connection.
template <class Begin>
Connection begin_connection(Begin begin, const std::string& socket_directory,
                            const std::string& database) {
    const char* names[] = {"host",
                           "port",
                           "user",
                           "dbname",
                           "application_name",
                           "gssencmode",
                           "sslmode",
                           "connect_timeout",
                           "options",
                           nullptr};
    const char* values[] = {socket_directory.c_str(), "5432", kBootstrapUser, database.c_str(),
                            "tarn", "disable", "disable", "10",
                            // What is done for the server is done on a nearly full disk too, and
                            // whatever a user has set for a database.
                            "-c default_transaction_read_only=off -c statement_timeout=0 "
                            "-c lock_timeout=0",
                            nullptr};
    return Connection(begin(names, values, 0), &PQfinish);
}

Error no_connection(PGconn* connection, const std::string& socket_directory,
                    const std::string& database) {
    return error(Code::unavailable, "connect to database {} at {}: {}", database, socket_directory,
                 trimmed(PQerrorMessage(connection)));
}

Result<Connection> connect(const std::string& socket_directory, const std::string& database) {
    Connection connection = begin_connection(PQconnectdbParams, socket_directory, database);
    if (PQstatus(connection.get()) != CONNECTION_OK)
        return no_connection(connection.get(), socket_directory, database);
    PQsetNoticeProcessor(
        connection.get(), [](void*, const char*) {}, nullptr);
    return connection;
}

Error failure_of(const PGresult* answer, PGconn* connection) {
    const char* state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
    if (!state) return error(Code::unavailable, "query: {}", trimmed(PQerrorMessage(connection)));
    return error(Code::bad_request, "PostgreSQL refuses the statement: {}",
                 trimmed(PQresultErrorMessage(answer)))
        .with_reason(state);
}

}  // namespace

Result<std::vector<std::vector<std::string>>> query(const std::string& socket_directory,
                                                    const std::string& database,
                                                    const std::string& statement) {
    auto connection = TRY(connect(socket_directory, database));
    Answer answer(PQexec(connection.get(), statement.c_str()), &PQclear);
    auto status = PQresultStatus(answer.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
        return failure_of(answer.get(), connection.get());
    std::vector<std::vector<std::string>> rows(static_cast<size_t>(PQntuples(answer.get())));
    for (int row = 0; row < PQntuples(answer.get()); ++row)
        for (int column = 0; column < PQnfields(answer.get()); ++column)
            rows[static_cast<size_t>(row)].emplace_back(
                PQgetvalue(answer.get(), row, column),
                static_cast<size_t>(PQgetlength(answer.get(), row, column)));
    return rows;
}

struct PendingStatement::State {
    std::string socket_directory;
    std::string database;
    std::string statement;
    Connection connection;
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    bool sent = false;
};

PendingStatement::PendingStatement(const std::string& socket_directory, const std::string& database,
                                   std::string statement)
    : state_(new State{socket_directory, database, std::move(statement),
                       begin_connection(PQconnectStartParams, socket_directory, database)}) {}

PendingStatement::PendingStatement(PendingStatement&&) noexcept = default;
PendingStatement& PendingStatement::operator=(PendingStatement&&) noexcept = default;
PendingStatement::~PendingStatement() = default;

int PendingStatement::descriptor() const {
    return PQsocket(state_->connection.get());
}

short PendingStatement::events() const {
    return state_->wanted == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
}

Result<bool> PendingStatement::step() {
    PGconn* connection = state_->connection.get();
    if (!state_->sent) {
        if (PQstatus(connection) != CONNECTION_BAD) state_->wanted = PQconnectPoll(connection);
        if (PQstatus(connection) == CONNECTION_BAD || state_->wanted == PGRES_POLLING_FAILED)
            return no_connection(connection, state_->socket_directory, state_->database);
        if (state_->wanted != PGRES_POLLING_OK) return false;
        state_->wanted = PGRES_POLLING_READING;
        if (PQsendQuery(connection, state_->statement.c_str()) == 0)
            return no_connection(connection, state_->socket_directory, state_->database);
        state_->sent = true;
        return false;
    }
    if (PQconsumeInput(connection) == 0)
        return no_connection(connection, state_->socket_directory, state_->database);
    while (PQisBusy(connection) == 0) {
        Answer answer(PQgetResult(connection), &PQclear);
        if (!answer) return true;
        if (PQresultStatus(answer.get()) == PGRES_FATAL_ERROR)
            return failure_of(answer.get(), connection);
    }
    return false;
}

}  // namespace tarn::compute
