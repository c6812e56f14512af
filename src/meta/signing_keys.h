// signing_keys.h: the key pairs that sign database credentials.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "meta/meta.h"

namespace tarn::meta {

struct SigningKeyRow {
    std::string kid;
    std::string private_key;  // PEM
    Time create_time;
    std::optional<Time> retire_time;
};

Result<void> insert_signing_key(Session& session, const SigningKeyRow& row);
Result<std::vector<SigningKeyRow>> list_signing_keys(Session& session);  // newest first

}  // namespace tarn::meta
