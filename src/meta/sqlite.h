// sqlite.h: the C API of SQLite behind Result and RAII. Nothing outside src/meta includes it.
#pragma once

#include <sqlite3.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/lsn.h"
#include "base/result.h"
#include "base/time.h"

namespace tarn::meta {

// One prepared statement: bind in order, then step through its rows.
class Statement {
  public:
    // Binds every argument to the next parameter.
    template <class... Args>
    void bind(const Args&... args) {
        (bind_one(args), ...);
    }

    // True while there is a row; read its columns in order with next().
    Result<bool> step();

    int columns() const { return sqlite3_column_count(statement_.get()); }
    std::string column_name(int column) const {
        return sqlite3_column_name(statement_.get(), column);
    }
    // Of the next column: SQLITE_INTEGER, SQLITE_NULL ...
    int type() const { return sqlite3_column_type(statement_.get(), column_); }
    std::string text();
    int64_t integer();
    double real();
    bool flag() { return integer() != 0; }
    Time time() { return Time{Span{integer()}}; }
    // SQLite's integers are signed; an LSN above 2^63 goes round and comes back.
    Lsn lsn() { return Lsn{static_cast<uint64_t>(integer())}; }
    Span span() { return Span{integer()}; }
    std::optional<std::string> maybe_text() { return take(&Statement::text); }
    std::optional<int64_t> maybe_integer() { return take(&Statement::integer); }
    std::optional<Lsn> maybe_lsn() { return take(&Statement::lsn); }
    std::optional<Time> maybe_time() { return take(&Statement::time); }

  private:
    friend class Connection;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    void bind_one(std::string_view value);
    void bind_one(int64_t value);
    void bind_one(double value);
    void bind_one(int value) { bind_one(int64_t{value}); }
    void bind_one(bool value) { bind_one(int64_t{value}); }
    void bind_one(Lsn value) { bind_one(static_cast<int64_t>(value.value)); }
    void bind_one(Span value) { bind_one(int64_t{value.count()}); }
    void bind_one(Time value) { bind_one(value.time_since_epoch()); }
    void bind_one(const std::string& value) { bind_one(std::string_view(value)); }
    void bind_one(const char* value) { bind_one(std::string_view(value)); }
    void bind_null();
    template <class T>
    void bind_one(const std::optional<T>& value) {
        if (value)
            bind_one(*value);
        else
            bind_null();
    }
    template <class T>
    std::optional<T> take(T (Statement::*read)()) {
        if (sqlite3_column_type(statement_.get(), column_) == SQLITE_NULL) {
            ++column_;
            return std::nullopt;
        }
        return (this->*read)();
    }

    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int parameter_ = 0;
    int column_ = 0;
};

class Connection {
  public:
    static Result<Connection> open(const std::string& path, bool read_only);

    Result<Statement> prepare(std::string_view sql);
    // Makes this database what `source` is, as of one commit.
    Result<void> copy_from(Connection& source);
    // A function of two texts that SQL of this connection may call for its effect. It goes when the
    // connection does.
    using Called = std::function<void(std::string_view, std::string_view)>;
    Result<void> add_function(const char* name, Called called);
    // Several statements without parameters or rows.
    Result<void> execute(const std::string& script);

    // Runs one statement that yields no rows.
    template <class... Args>
    Result<void> run(std::string_view sql, const Args&... args) {
        Statement statement = TRY(prepare(sql));
        statement.bind(args...);
        TRY(statement.step());
        return {};
    }

  private:
    struct Close {
        void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
    };
    explicit Connection(sqlite3* database) : database_(database) {}

    std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace tarn::meta
