#include "meta/users.h"

#include "meta/sqlite.h"

namespace tarn::meta {

namespace {

#define USER_COLUMNS "u.id, u.user_name, u.display_name, u.kind, u.is_admin, u.create_time"

Result<std::optional<UserRow>> one(Statement statement) {
    if (!TRY(statement.step())) return std::optional<UserRow>();
    UserRow row;
    row.id = statement.integer();
    row.user_name = statement.text();
    row.display_name = statement.text();
    row.kind = statement.text();
    row.is_admin = statement.flag();
    row.create_time = statement.time();
    return std::optional(std::move(row));
}

}  // namespace

Result<void> insert_user(Session& session, const UserRow& row) {
    return session.connection().run("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?)", row.id,
                                    row.user_name, row.display_name, row.kind, row.is_admin,
                                    row.create_time);
}

Result<std::optional<UserRow>> get_user(Session& session, std::string_view user_name) {
    auto statement = TRY(
        session.connection().prepare("SELECT " USER_COLUMNS " FROM users u WHERE user_name = ?"));
    statement.bind(user_name);
    return one(std::move(statement));
}

Result<void> insert_token(Session& session, const TokenRow& row) {
    return session.connection().run("INSERT INTO tokens VALUES (?, ?, CAST(? AS BLOB), ?, ?, ?)",
                                    row.id, row.user_id, row.hash, row.comment, row.create_time,
                                    row.expire_time);
}

Result<std::optional<UserRow>> user_of_token(Session& session, std::string_view hash, Time now) {
    auto statement =
        TRY(session.connection().prepare(
            "SELECT " USER_COLUMNS " FROM tokens t JOIN users u ON u.id = t.user_id"
            " WHERE t.hash = CAST(? AS BLOB) AND (t.expire_time IS NULL OR t.expire_time > ?)"));
    statement.bind(hash, now);
    return one(std::move(statement));
}

}  // namespace tarn::meta
