#include "meta/sqlite.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace tarn::meta {

namespace {

Code code_of(int status) {
    switch (status & 0xff) {
        case SQLITE_FULL:
            return Code::no_space;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Code::unavailable;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Code::data_loss;
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_AUTH:
            return Code::permission_denied;
        case SQLITE_IOERR:
            return Code::io_error;
        case SQLITE_CONSTRAINT:
            return Code::already_exists;
        default:
            return Code::internal;
    }
}

// A statement in one line of a message.
std::string shown(std::string_view sql) {
    constexpr size_t kMost = 80;
    std::string_view line = sql.substr(0, sql.find('\n'));
    bool cut = line.size() < sql.size() || line.size() > kMost;
    return fmt::format("\"{}{}\"", line.substr(0, kMost), cut ? " ..." : "");
}

Error failure(sqlite3* database, int status, std::string_view doing) {
    Code code = code_of(status);
    // Shared memory of the journal that does not fit is not SQLITE_FULL but an I/O error.
    bool full = code == Code::io_error && database && sqlite3_system_errno(database) == ENOSPC;
    if (code == Code::no_space || full) return errno_error(ENOSPC, doing);
    return error(code, "{}: {}", doing,
                 database ? sqlite3_errmsg(database) : sqlite3_errstr(status));
}

// The file holds the keys that sign logins, and computes of other users run beside it. SQLite gives
// its journal the mode of the file.
Result<void> keep_private(const std::string& path) {
    int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return errno_error(errno, "open " + path);
    int failure = ::fchmod(fd, 0600) == 0 ? 0 : errno;
    ::close(fd);
    if (failure) return errno_error(failure, "make private " + path);
    return {};
}

}  // namespace

Result<bool> Statement::step() {
    column_ = 0;
    int status = sqlite3_step(statement_.get());
    if (status == SQLITE_ROW) return true;
    if (status == SQLITE_DONE) return false;
    return failure(sqlite3_db_handle(statement_.get()), status,
                   fmt::format("run {}", shown(sqlite3_sql(statement_.get()))));
}

std::string Statement::text() {
    const void* bytes = sqlite3_column_blob(statement_.get(), column_);
    auto size = static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column_));
    ++column_;
    return bytes ? std::string(static_cast<const char*>(bytes), size) : std::string();
}

int64_t Statement::integer() {
    return sqlite3_column_int64(statement_.get(), column_++);
}

double Statement::real() {
    return sqlite3_column_double(statement_.get(), column_++);
}

// Binding fails only for a parameter that the statement does not have: a programmer's error.
void Statement::bind_one(std::string_view value) {
    int status =
        sqlite3_bind_text64(statement_.get(), ++parameter_, value.data() ? value.data() : "",
                            value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    CHECK(status == SQLITE_OK, "{}", sqlite3_sql(statement_.get()));
}

void Statement::bind_one(int64_t value) {
    int status = sqlite3_bind_int64(statement_.get(), ++parameter_, value);
    CHECK(status == SQLITE_OK, "{}", sqlite3_sql(statement_.get()));
}

void Statement::bind_one(double value) {
    int status = sqlite3_bind_double(statement_.get(), ++parameter_, value);
    CHECK(status == SQLITE_OK, "{}", sqlite3_sql(statement_.get()));
}

void Statement::bind_null() {
    int status = sqlite3_bind_null(statement_.get(), ++parameter_);
    CHECK(status == SQLITE_OK, "{}", sqlite3_sql(statement_.get()));
}

Result<Connection> Connection::open(const std::string& path, bool read_only) {
    if (!read_only) TRY(keep_private(path));
    sqlite3* database = nullptr;
    int mode = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    // Each connection is used under one mutex of ours, so SQLite's own are not needed.
    int status = sqlite3_open_v2(path.c_str(), &database, mode | SQLITE_OPEN_NOMUTEX, nullptr);
    Connection connection(database);
    if (status != SQLITE_OK) return failure(database, status, "open " + path);
    sqlite3_extended_result_codes(database, 1);
    sqlite3_busy_timeout(database, 5000);
    return connection;
}

Result<Statement> Connection::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    int status = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                    &statement, nullptr);
    if (status != SQLITE_OK)
        return failure(database_.get(), status, fmt::format("prepare {}", shown(sql)));
    return Statement(statement);
}

Result<void> Connection::copy_from(Connection& source) {
    sqlite3_backup* copy =
        sqlite3_backup_init(database_.get(), "main", source.database_.get(), "main");
    if (!copy) return failure(database_.get(), sqlite3_errcode(database_.get()), "begin a copy");
    int status = sqlite3_backup_step(copy, -1);
    sqlite3_backup_finish(copy);
    if (status != SQLITE_DONE) return failure(database_.get(), status, "copy");
    return {};
}

Result<void> Connection::add_function(const char* name, Called called) {
    auto* kept = new Called(std::move(called));
    auto call = [](sqlite3_context* context, int, sqlite3_value** values) {
        auto text = [&](int at) {
            const void* bytes = sqlite3_value_blob(values[at]);
            auto size = static_cast<size_t>(sqlite3_value_bytes(values[at]));
            return bytes ? std::string_view(static_cast<const char*>(bytes), size)
                         : std::string_view();
        };
        // NULL: nothing that anybody asked about.
        if (sqlite3_value_type(values[1]) != SQLITE_NULL)
            (*static_cast<Called*>(sqlite3_user_data(context)))(text(0), text(1));
    };
    auto forget = [](void* function) { delete static_cast<Called*>(function); };
    int status = sqlite3_create_function_v2(database_.get(), name, 2, SQLITE_UTF8, kept, call,
                                            nullptr, nullptr, forget);
    if (status != SQLITE_OK) return failure(database_.get(), status, "add a function");
    return {};
}

Result<void> Connection::execute(const std::string& script) {
    int status = sqlite3_exec(database_.get(), script.c_str(), nullptr, nullptr, nullptr);
    if (status != SQLITE_OK)
        return failure(database_.get(), status, fmt::format("run {}", shown(script)));
    return {};
}

}  // namespace tarn::meta
