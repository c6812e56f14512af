#include "meta/signing_keys.h"

#include "meta/sqlite.h"

namespace tarn::meta {

Result<void> insert_signing_key(Session& session, const SigningKeyRow& row) {
    return session.connection().run("INSERT INTO signing_keys VALUES (?, ?, ?, ?)", row.kid,
                                    row.private_key, row.create_time, row.retire_time);
}

Result<std::vector<SigningKeyRow>> list_signing_keys(Session& session) {
    auto statement = TRY(session.connection().prepare(
        "SELECT kid, private_key, create_time, retire_time FROM signing_keys"
        " ORDER BY create_time DESC, kid"));
    std::vector<SigningKeyRow> rows;
    while (TRY(statement.step())) {
        SigningKeyRow row;
        row.kid = statement.text();
        row.private_key = statement.text();
        row.create_time = statement.time();
        row.retire_time = statement.maybe_time();
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace tarn::meta
