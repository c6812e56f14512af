#include "meta/meta.h"

#include <unistd.h>

#include <cerrno>
#include <iterator>

#include "base/log.h"
#include "meta/records.h"
#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

struct Migration {
    const char* name;
    const char* script;
};

constexpr Migration kMigrations[] = {
#include "migrations.inc"
};

Result<int64_t> file_version(Connection& connection) {
    Statement statement = TRY(connection.prepare("PRAGMA user_version"));
    TRY(statement.step());
    return statement.integer();
}

// Applies what the file lacks, each migration in a transaction with its number (M2).
Result<void> migrate(Connection& connection, const std::string& path) {
    int64_t version = TRY(file_version(connection));
    int64_t newest = std::ssize(kMigrations);
    if (version > newest)
        return error(Code::bad_request, "open {}: its format is version {}, this program knows {}",
                     path, version, newest)
            .with_hint("run the newer tarn that wrote it");
    for (int64_t next = version; next < newest; ++next) {
        const Migration& migration = kMigrations[next];
        TRY_CTX(connection.execute(
                    fmt::format("BEGIN IMMEDIATE;\n{}\nPRAGMA user_version = {};\nCOMMIT;",
                                migration.script, next + 1)),
                "migrate {} with {}", path, migration.name);
        log::info("meta: applied migration {}", migration.name);
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<Meta>> Meta::open(const std::string& path, Options options) {
    auto writer = std::make_unique<Connection>(TRY(Connection::open(path, false)));
    TRY_CTX(writer->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                            "PRAGMA foreign_keys = ON;"),
            "open {}", path);
    TRY(migrate(*writer, path));
    auto reader = std::make_unique<Connection>(TRY(Connection::open(path, true)));
    return std::unique_ptr<Meta>(
        new Meta(std::move(writer), std::move(reader), std::move(options)));
}

Result<std::unique_ptr<Meta>> Meta::open_reading(const std::string& path) {
    if (::access(path.c_str(), F_OK) != 0) return errno_error(errno, "open " + path);
    auto reader = std::make_unique<Connection>(TRY(Connection::open(path, true)));
    int64_t version = TRY(file_version(*reader));
    if (version != std::ssize(kMigrations))
        return error(Code::bad_request, "open {}: its format is version {}, this program's is {}",
                     path, version, std::ssize(kMigrations))
            .with_hint("run the same tarn as the server; a newer one must have been started once");
    // Whoever writes through it is refused by SQLite.
    auto writer = std::make_unique<Connection>(TRY(Connection::open(path, true)));
    return std::unique_ptr<Meta>(new Meta(std::move(writer), std::move(reader), {}));
}

Meta::Meta(std::unique_ptr<Connection> writer, std::unique_ptr<Connection> reader, Options options)
    : writer_(std::move(writer)),
      reader_(std::move(reader)),
      options_(std::move(options)),
      touched_(std::make_unique<std::set<RecordName>>()) {}

Meta::~Meta() = default;

Result<void> Meta::watch(Changed changed) {
    std::lock_guard lock(write_mutex_);
    TRY(writer_->add_function("tarn_record_changed",
                              [this](std::string_view kind, std::string_view uid) {
                                  std::string text(kind);
                                  if (!uid.empty()) text += fmt::format("-{}", uid);
                                  if (auto name = parse_record_name(text))
                                      touched_->insert(std::move(*name));
                              }));
    TRY_CTX(writer_->execute(TRY(record_triggers(*writer_))), "watch the metadata for changes");
    changed_ = std::move(changed);
    return {};
}

Result<void> Meta::begin(Session& session) {
    touched_->clear();
    return session.connection().execute("BEGIN IMMEDIATE");
}

Result<void> Meta::begin_reading(Session& session) {
    return session.connection().execute("BEGIN");
}

Result<void> Meta::commit(Session& session) {
    Result<void> result;
    if (options_.before_commit) result = options_.before_commit();
    if (result.ok()) result = session.connection().execute("COMMIT");
    if (!result.ok())
        roll_back(session);
    else if (changed_ && !touched_->empty())
        changed_(*touched_);
    return result;
}

void Meta::roll_back(Session& session) {
    // Fails only when SQLite has rolled back by itself already (a full disk, an I/O error).
    (void)session.connection().execute("ROLLBACK");
}

}  // namespace tarn::meta
