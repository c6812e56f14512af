#include "api/spec_fields.h"

#include "base/lsn.h"

namespace tarn::api {

Result<std::optional<control::Expiration>> parse_expiration(const Fields& spec) {
    auto ttl = TRY(spec.duration("ttl"));
    auto expire_time = TRY(spec.timestamp("expire_time"));
    auto no_expiry = TRY(spec.boolean("no_expiry"));
    if (no_expiry && !*no_expiry)
        return error(Code::invalid_argument, "Field 'spec.no_expiry' can only be true.");
    if (ttl.has_value() + expire_time.has_value() + no_expiry.has_value() > 1)
        return error(
            Code::invalid_argument,
            "Only one of 'spec.ttl', 'spec.expire_time' and 'spec.no_expiry' may be given.");
    std::optional<control::Expiration> expiration;
    if (ttl) expiration = *ttl;
    if (expire_time) expiration = *expire_time;
    if (no_expiry) expiration = control::NoExpiry{};
    return expiration;
}

Result<control::BranchSource> parse_source(const Fields& fields) {
    control::BranchSource source;
    source.branch = TRY(fields.text("source_branch")).value_or("");
    if (auto lsn = TRY(fields.text("source_branch_lsn"))) source.at_lsn = TRY(Lsn::parse(*lsn));
    source.snapshot = TRY(fields.text("source_snapshot")).value_or("");
    source.at_time = TRY(fields.timestamp("source_branch_time"));
    return source;
}

}  // namespace tarn::api
