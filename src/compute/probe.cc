#include "compute/probe.h"

#include <libpq-fe.h>

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

Result<Connection> connect(const std::string& socket_directory, const std::string& database) {
    const char* names[] = {"host",
                           "port",
                           "user",
                           "dbname",
                           "application_name",
                           "gssencmode",
                           "sslmode",
                           "connect_timeout",
                           nullptr};
    const char* values[] = {socket_directory.c_str(),
                            "5432",
                            kBootstrapUser,
                            database.c_str(),
                            "tarn",
                            "disable",
                            "disable",
                            "10",
                            nullptr};
    Connection connection(PQconnectdbParams(names, values, 0), &PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK)
        return error(Code::unavailable, "connect to database {} at {}: {}", database,
                     socket_directory, trimmed(PQerrorMessage(connection.get())));
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

}  // namespace tarn::compute
