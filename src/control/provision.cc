#include "control/provision.h"

#include <algorithm>

namespace tarn::control {

namespace {

// What every new project has (compute/computes.h, create_root).
constexpr std::string_view kSuperuserRole = "databricks_superuser";
constexpr std::string_view kTemplateDatabase = "databricks_postgres";

// Statements run as the bootstrap superuser, in the database "postgres".
class Sql {
  public:
    Sql(compute::Computes& computes, std::string endpoint_uid)
        : computes_(computes), endpoint_uid_(std::move(endpoint_uid)) {}

    Result<void> run(const std::string& statement) {
        TRY_CTX(computes_.query(endpoint_uid_, "postgres", statement), "run \"{}\"", statement);
        return {};
    }
    Result<bool> exists(std::string_view catalog, std::string_view column, std::string_view name) {
        auto rows = TRY(computes_.query(endpoint_uid_, "postgres",
                                        fmt::format("SELECT 1 FROM pg_catalog.{} WHERE {} = {}",
                                                    catalog, column, quote_literal(name))));
        return !rows.empty();
    }

  private:
    compute::Computes& computes_;
    std::string endpoint_uid_;
};

Result<void> provision_role(Sql& sql, const meta::RoleRow& role) {
    std::string name = quote_identifier(role.postgres_role);
    bool exists = TRY(sql.exists("pg_roles", "rolname", role.postgres_role));
    TRY(sql.run(fmt::format("{} ROLE {} {} NOSUPERUSER {} {} {}", exists ? "ALTER" : "CREATE", name,
                            role.auth_method == "NO_LOGIN" ? "NOLOGIN" : "LOGIN",
                            role.createdb ? "CREATEDB" : "NOCREATEDB",
                            role.createrole ? "CREATEROLE" : "NOCREATEROLE",
                            role.bypassrls ? "BYPASSRLS" : "NOBYPASSRLS")));
    if (!role.is_superuser) return {};
    // With ADMIN, so that it can make others members.
    return sql.run(fmt::format("GRANT {} TO {} WITH ADMIN OPTION", kSuperuserRole, name));
}

Result<void> provision_database(Sql& sql, const meta::DatabaseRow& database,
                                const std::string& owner, bool spare) {
    std::string name = quote_identifier(database.postgres_database);
    bool exists = TRY(sql.exists("pg_database", "datname", database.postgres_database));
    // The template's own database, unless it is one of those wanted, becomes the first of them.
    if (!exists && spare && TRY(sql.exists("pg_database", "datname", kTemplateDatabase))) {
        TRY(sql.run(fmt::format("ALTER DATABASE {} RENAME TO {}", kTemplateDatabase, name)));
        exists = true;
    }
    return sql.run(exists
                       ? fmt::format("ALTER DATABASE {} OWNER TO {}", name, quote_identifier(owner))
                       : fmt::format("CREATE DATABASE {} OWNER {}", name, quote_identifier(owner)));
}

}  // namespace

std::string quote_identifier(std::string_view name) {
    std::string quoted = "\"";
    for (char c : name) quoted.append(c == '"' ? 2 : 1, c);
    return quoted + "\"";
}

std::string quote_literal(std::string_view text) {
    // The E form reads backslashes the same whatever standard_conforming_strings is.
    std::string quoted = "E'";
    for (char c : text) quoted.append(c == '\'' || c == '\\' ? 2 : 1, c);
    return quoted + "'";
}

Result<void> provision(compute::Computes& computes, const std::string& endpoint_uid,
                       const std::vector<meta::RoleRow>& roles,
                       const std::vector<meta::DatabaseRow>& databases) {
    Sql sql(computes, endpoint_uid);
    for (const auto& role : roles) TRY(provision_role(sql, role));
    bool spare = std::ranges::find(databases, kTemplateDatabase,
                                   &meta::DatabaseRow::postgres_database) == databases.end();
    for (const auto& database : databases) {
        auto owner = std::ranges::find(roles, database.role_id, &meta::RoleRow::id);
        if (owner == roles.end())
            return error(Code::internal, "make database {}: its owner's role {} is missing",
                         database.postgres_database, database.role_id);
        TRY(provision_database(sql, database, owner->postgres_role, spare));
    }
    return {};
}

}  // namespace tarn::control
