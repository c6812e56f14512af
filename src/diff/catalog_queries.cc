#include "diff/catalog_queries.h"

namespace tarn::diff {

namespace {

// In a query: OWN(class, oid) for what no extension brought, USERS(alias) for schemas of users.
#define OWN(class, oid)                                              \
    " NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = '" class \
        "'::regclass AND "                                           \
        "d.objid = " oid " AND d.deptype = 'e') "
#define USERS(n) " " n ".nspname <> 'information_schema' AND " n ".nspname NOT LIKE 'pg\\_%' "
#define RELATION "format('%I.%I', n.nspname, c.relname)"
#define COLUMN RELATION " || format('.%I', a.attname)"
#define FROM_CLASS                                                                             \
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND" USERS("n") "AND" OWN( \
        "pg_class", "c.oid")
#define FROM_COLUMN                                                              \
    FROM_CLASS                                                                   \
    "AND c.relkind IN ('r', 'p') JOIN pg_attribute a ON a.attrelid = c.oid AND " \
    "a.attnum > 0 AND NOT a.attisdropped "
#define COLUMN_TYPE                                                                          \
    "format_type(a.atttypid, a.atttypmod) || coalesce((SELECT format(' COLLATE %I.%I', "     \
    "s.nspname, l.collname) FROM pg_collation l JOIN pg_namespace s ON s.oid = "             \
    "l.collnamespace JOIN pg_type y ON y.oid = a.atttypid WHERE l.oid = a.attcollation AND " \
    "l.oid <> y.typcollation), '') || CASE WHEN a.attgenerated <> '' THEN "                  \
    "format(' GENERATED ALWAYS AS (%s) %s', (SELECT pg_get_expr(g.adbin, g.adrelid) FROM "   \
    "pg_attrdef g WHERE g.adrelid = a.attrelid AND g.adnum = a.attnum), CASE "               \
    "a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END) ELSE '' END"
#define IDENTITY "CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END"

// What follows the type of column `a`: identity, NOT NULL, default.
#define COLUMN_REST                                                                         \
    "CASE WHEN a.attidentity <> '' THEN ' GENERATED ' || " IDENTITY                         \
    " || ' AS IDENTITY' ELSE '' END || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END" \
    " || coalesce((SELECT ' DEFAULT ' || pg_get_expr(f.adbin, f.adrelid) FROM pg_attrdef "  \
    "f WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum AND a.attgenerated = ''), '')"

constexpr KindQuery kQueries[] = {
    {"role", false, true,
     "SELECT format('%I', r.rolname), '', o.options, format('CREATE ROLE %I %s', r.rolname, "
     "o.options), format('ALTER ROLE %I %s', r.rolname, o.options), format('DROP ROLE %I', "
     "r.rolname) FROM pg_roles r, LATERAL (SELECT concat_ws(' ', CASE WHEN rolcanlogin THEN "
     "'LOGIN' ELSE 'NOLOGIN' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN "
     "rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END, CASE "
     "WHEN rolinherit THEN NULL ELSE 'NOINHERIT' END) AS options) o WHERE r.rolname NOT LIKE "
     "'pg\\_%' AND NOT r.rolsuper"},
    {"database", false, true,
     "SELECT format('%I', datname), '', o.owner, format('CREATE DATABASE %I OWNER %I', datname, "
     "o.owner), format('ALTER DATABASE %I OWNER TO %I', datname, o.owner), "
     "format('DROP DATABASE %I', datname) FROM pg_database, LATERAL (SELECT "
     "pg_get_userbyid(datdba) AS owner) o WHERE NOT datistemplate"},
    {"schema", false, false,
     "SELECT format('%I', n.nspname), '', o.owner, format('CREATE SCHEMA %I AUTHORIZATION %I', "
     "n.nspname, o.owner), format('ALTER SCHEMA %I OWNER TO %I', n.nspname, o.owner), "
     "format('DROP SCHEMA %I', n.nspname) FROM pg_namespace n, LATERAL (SELECT "
     "pg_get_userbyid(n.nspowner) AS owner) o WHERE" USERS("n") "AND" OWN("pg_namespace", "n.oid")},
    {"extension", false, false,
     "SELECT format('%I', e.extname), '', e.extversion, format('CREATE EXTENSION %I SCHEMA %I "
     "VERSION %L', e.extname, n.nspname, e.extversion), format('ALTER EXTENSION %I UPDATE TO %L', "
     "e.extname, e.extversion), format('DROP EXTENSION %I', e.extname) FROM pg_extension e JOIN "
     "pg_namespace n ON n.oid = e.extnamespace"},
    {"type", false, false,
     "SELECT t.oid::regtype::text, '', CASE t.typtype WHEN 'e' THEN 'enum' ELSE x.body END, "
     "format('CREATE TYPE %s AS %s', t.oid::regtype, x.body), '', format('DROP TYPE %s', "
     "t.oid::regtype) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND" USERS(
         "n") "AND" OWN("pg_type",
                        "t.oid") "LEFT JOIN pg_class c ON c.oid = t.typrelid, LATERAL (SELECT "
                                 "CASE t.typtype WHEN 'e' THEN (SELECT format('ENUM (%s)', "
                                 "string_agg(quote_literal(enumlabel)"
                                 ", ', ' ORDER BY enumsortorder)) FROM pg_enum WHERE enumtypid = "
                                 "t.oid) WHEN 'c' THEN (SELECT "
                                 "format('(%s)', string_agg(format('%I %s', attname, "
                                 "format_type(atttypid, atttypmod)), ', ' "
                                 "ORDER BY attnum)) FROM pg_attribute WHERE attrelid = t.typrelid "
                                 "AND attnum > 0 AND NOT "
                                 "attisdropped) ELSE (SELECT format('RANGE (SUBTYPE = %s)', "
                                 "rngsubtype::regtype) FROM pg_range "
                                 "WHERE rngtypid = t.oid) END AS body) x WHERE t.typtype IN ('e', "
                                 "'r') OR t.typtype = 'c' AND "
                                 "c.relkind = 'c'"},
    {"enum value", true, false,
     "SELECT format('%s.%L', t.oid::regtype, e.enumlabel), t.oid::regtype::text, '', "
     "format('ALTER TYPE %s ADD VALUE %L', t.oid::regtype, e.enumlabel), '', format('-- the value "
     "%L of type %s cannot be dropped', e.enumlabel, t.oid::regtype) FROM pg_enum e JOIN pg_type t "
     "ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace AND" USERS(
         "n") "AND" OWN("pg_type", "t.oid")},
    {"domain", false, false,
     "SELECT t.oid::regtype::text, '', x.body, format('CREATE DOMAIN %s AS %s', t.oid::regtype, "
     "x.body), '', format('DROP DOMAIN %s', t.oid::regtype) FROM pg_type t JOIN pg_namespace n ON "
     "n.oid = t.typnamespace AND" USERS("n") "AND" OWN(
         "pg_type", "t.oid") ", LATERAL (SELECT "
                             "format_type(t.typbasetype, t.typtypmod) || coalesce(' DEFAULT ' || "
                             "t.typdefault, '') || CASE "
                             "WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END AS body) x WHERE "
                             "t.typtype = 'd'"},
    {"domain constraint", false, false,
     "SELECT format('%s.%I', t.oid::regtype, k.conname), t.oid::regtype::text, "
     "pg_get_constraintdef(k.oid), format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', t.oid::regtype, "
     "k.conname, pg_get_constraintdef(k.oid)), '', format('ALTER DOMAIN %s DROP CONSTRAINT %I', "
     "t.oid::regtype, k.conname) FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN "
     "pg_namespace n ON n.oid = t.typnamespace AND" USERS("n") "AND" OWN(
         "pg_type", "t.oid") "WHERE k.contype = 'c'"},
    {"sequence", false, false,
     "SELECT " RELATION ", '', o.options, format('CREATE SEQUENCE %s %s', " RELATION
     ", o.options), "
     "format('ALTER SEQUENCE %s %s', " RELATION
     ", o.options), format('DROP SEQUENCE IF EXISTS %s', " RELATION ")" FROM_CLASS
     "JOIN pg_sequence s ON s.seqrelid = c.oid, LATERAL (SELECT format('AS "
     "%s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s %s', "
     "format_type(s.seqtypid, NULL), s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache, "
     "CASE WHEN s.seqcycle THEN 'CYCLE' ELSE 'NO CYCLE' END) AS options) o WHERE NOT EXISTS "
     "(SELECT FROM pg_depend i WHERE i.classid = 'pg_class'::regclass AND i.objid = c.oid AND "
     "i.deptype = 'i')"},
    {"function", false, false,
     "SELECT p.oid::regprocedure::text, '', pg_get_functiondef(p.oid), pg_get_functiondef(p.oid), "
     "pg_get_functiondef(p.oid), format('DROP ROUTINE %s', p.oid::regprocedure) FROM pg_proc p "
     "JOIN pg_namespace n ON n.oid = p.pronamespace AND" USERS("n") "AND" OWN(
         "pg_proc", "p.oid") "WHERE p.prokind <> 'a'"},
    {"table", false, false,
     "SELECT " RELATION ", '', c.relkind::text || coalesce(pg_get_partkeydef(c.oid), ''), "
     "format('CREATE TABLE %s (%s)%s', " RELATION ", coalesce((SELECT string_agg(format(E'\\n  %I "
     "%s%s', a.attname, " COLUMN_TYPE ", " COLUMN_REST "), ',' ORDER BY a.attnum) || E'\\n' FROM "
     "pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''), "
     "coalesce(' PARTITION BY ' || pg_get_partkeydef(c.oid), '')), '', format('DROP TABLE "
     "%s', " RELATION ")" FROM_CLASS "WHERE c.relkind IN ('r', 'p')"},
    {"persistence", false, false,
     "SELECT " RELATION ", " RELATION ", '', format('ALTER TABLE %s SET UNLOGGED', " RELATION
     "), '', "
     "format('ALTER TABLE %s SET LOGGED', " RELATION ")" FROM_CLASS "WHERE c.relkind = 'r' AND "
     "c.relpersistence = 'u'"},
    {"column", true, false,
     "SELECT " COLUMN ", " RELATION
     ", x.type, format('ALTER TABLE %s ADD COLUMN %I %s%s', " RELATION
     ", a.attname, x.type, " COLUMN_REST "), CASE a.attgenerated WHEN '' THEN format('ALTER TABLE "
     "%s ALTER COLUMN %I TYPE %s', " RELATION ", a.attname, x.type) ELSE '' END, format('ALTER "
     "TABLE %s DROP COLUMN %I', " RELATION ", a.attname)" FROM_COLUMN
     ", LATERAL (SELECT " COLUMN_TYPE " AS type) x WHERE a.attinhcount = 0"},
    {"identity", true, false,
     "SELECT " COLUMN ", " COLUMN ", " IDENTITY ", format('ALTER TABLE %s ALTER COLUMN %I ADD "
     "GENERATED %s AS IDENTITY', " RELATION ", a.attname, " IDENTITY "), format('ALTER TABLE %s "
     "ALTER COLUMN %I SET GENERATED %s', " RELATION ", a.attname, " IDENTITY "), format('ALTER "
     "TABLE %s ALTER COLUMN %I DROP IDENTITY', " RELATION ", a.attname)" FROM_COLUMN
     "WHERE a.attinhcount = 0 AND a.attidentity <> ''"},
    {"default", true, false,
     "SELECT " COLUMN ", " COLUMN ", x.value, x.statement, x.statement, format('ALTER TABLE %s "
     "ALTER COLUMN %I DROP DEFAULT', " RELATION ", a.attname)" FROM_COLUMN "JOIN pg_attrdef f ON "
     "f.adrelid = c.oid AND f.adnum = a.attnum, LATERAL (SELECT pg_get_expr(f.adbin, f.adrelid) AS "
     "value, format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT %s', " RELATION ", a.attname, "
     "pg_get_expr(f.adbin, f.adrelid)) AS statement) x WHERE a.attinhcount = 0 AND "
     "a.attgenerated = ''"},
    {"not null", true, false,
     "SELECT " COLUMN ", " COLUMN
     ", '', format('ALTER TABLE %s ALTER COLUMN %I SET NOT NULL', " RELATION
     ", a.attname), '', format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', " RELATION
     ", a.attname)" FROM_COLUMN "WHERE a.attinhcount = 0 AND a.attnotnull"},
    {"partition", false, false,
     "SELECT " RELATION ", " RELATION ", x.bound, format('ALTER TABLE %s ATTACH PARTITION %s %s', "
     "i.inhparent::regclass, " RELATION ", x.bound), '', format('ALTER TABLE %s DETACH PARTITION "
     "%s', i.inhparent::regclass, " RELATION ")" FROM_CLASS "JOIN pg_inherits i ON i.inhrelid = "
     "c.oid, LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid) AS bound) x WHERE c.relispartition "
     "AND c.relkind IN ('r', 'p')"},
    {"inheritance", false, false,
     "SELECT format('%s of %s', " RELATION ", i.inhparent::regclass), " RELATION ", '', "
     "format('ALTER TABLE %s INHERIT %s', " RELATION ", i.inhparent::regclass), '', format('ALTER "
     "TABLE %s NO INHERIT %s', " RELATION ", i.inhparent::regclass)" FROM_CLASS
     "JOIN pg_inherits i "
     "ON i.inhrelid = c.oid WHERE NOT c.relispartition AND c.relkind = 'r'"},
    {"storage parameters", false, false,
     "SELECT " RELATION ", " RELATION ", o.list, o.statement, o.statement, format('ALTER TABLE %s "
     "RESET (%s)', " RELATION ", (SELECT string_agg(split_part(e, '=', 1), ', ') FROM "
     "unnest(c.reloptions) e))" FROM_CLASS
     ", LATERAL (SELECT array_to_string(c.reloptions, ', ') AS "
     "list, format('ALTER TABLE %s SET (%s)', " RELATION
     ", array_to_string(c.reloptions, ', ')) AS "
     "statement) o WHERE c.relkind = 'r' AND c.reloptions IS NOT NULL"},
    {"constraint", false, false,
     "SELECT " RELATION " || format('.%I', k.conname), " RELATION ", pg_get_constraintdef(k.oid), "
     "format('ALTER TABLE %s ADD CONSTRAINT %I %s', " RELATION ", k.conname, "
     "pg_get_constraintdef(k.oid)), '', format('ALTER TABLE %s DROP CONSTRAINT %I', " RELATION
     ", k.conname)" FROM_CLASS "JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype IN "
     "('p', 'u', 'c', 'x') AND k.conparentid = 0 AND k.coninhcount = 0"},
    {"foreign key", false, false,
     "SELECT " RELATION " || format('.%I', k.conname), " RELATION ", pg_get_constraintdef(k.oid), "
     "format('ALTER TABLE %s ADD CONSTRAINT %I %s', " RELATION ", k.conname, "
     "pg_get_constraintdef(k.oid)), '', format('ALTER TABLE %s DROP CONSTRAINT %I', " RELATION
     ", k.conname)" FROM_CLASS "JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype = 'f' "
     "AND k.conparentid = 0"},
    {"view", false, false,
     "SELECT " RELATION ", '', x.body, format(E'CREATE VIEW %s AS\\n%s', " RELATION ", x.body), "
     "format(E'CREATE OR REPLACE VIEW %s AS\\n%s', " RELATION
     ", x.body), format('DROP VIEW %s', " RELATION ")" FROM_CLASS
     ", LATERAL (SELECT rtrim(pg_get_viewdef(c.oid), ';') AS body) x WHERE "
     "c.relkind = 'v'"},
    {"materialized view", false, false,
     "SELECT " RELATION ", '', x.body, format(E'CREATE MATERIALIZED VIEW %s AS\\n%s', " RELATION
     ", x.body), '', format('DROP MATERIALIZED VIEW %s', " RELATION ")" FROM_CLASS ", LATERAL "
     "(SELECT rtrim(pg_get_viewdef(c.oid), ';') AS body) x WHERE c.relkind = 'm'"},
    {"index", false, false,
     "SELECT format('%I.%I', n.nspname, i.relname), " RELATION ", pg_get_indexdef(i.oid), "
     "pg_get_indexdef(i.oid), '', format('DROP INDEX %I.%I', n.nspname, i.relname)" FROM_CLASS
     "JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid WHERE NOT "
     "i.relispartition AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid AND "
     "k.contype IN ('p', 'u', 'x'))"},
    {"rule", false, false,
     "SELECT " RELATION " || format('.%I', r.rulename), " RELATION ", pg_get_ruledef(r.oid), "
     "pg_get_ruledef(r.oid), '', format('DROP RULE %I ON %s', r.rulename, " RELATION ")" FROM_CLASS
     "JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'"},
    {"trigger", false, false,
     "SELECT " RELATION " || format('.%I', t.tgname), " RELATION ", pg_get_triggerdef(t.oid) || "
     "t.tgenabled::text, pg_get_triggerdef(t.oid), '', format('DROP TRIGGER %I ON %s', "
     "t.tgname, " RELATION ")" FROM_CLASS
     "JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal AND "
     "t.tgparentid = 0"},
    {"row security", false, false,
     "SELECT " RELATION ", " RELATION ", c.relforcerowsecurity::text, x.statement, x.statement, "
     "format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', " RELATION ")" FROM_CLASS ", LATERAL "
     "(SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, %s FORCE ROW LEVEL "
     "SECURITY', " RELATION
     ", CASE WHEN c.relforcerowsecurity THEN '' ELSE 'NO' END) AS statement) x WHERE "
     "c.relrowsecurity"},
    {"policy", false, false,
     "SELECT format('%I.%I.%I', p.schemaname, p.tablename, p.policyname), format('%I.%I', "
     "p.schemaname, p.tablename), x.body, format('CREATE POLICY %I ON %I.%I %s', p.policyname, "
     "p.schemaname, p.tablename, x.body), '', format('DROP POLICY %I ON %I.%I', p.policyname, "
     "p.schemaname, p.tablename) FROM pg_policies p, LATERAL (SELECT concat_ws(' ', 'AS', "
     "p.permissive, 'FOR', p.cmd, 'TO', (SELECT string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE "
     "quote_ident(r) END, ', ') FROM unnest(p.roles) r), 'USING (' || p.qual || ')', 'WITH CHECK "
     "(' || p.with_check || ')') AS body) x"},
    {"owner", false, false,
     "SELECT " RELATION ", CASE WHEN c.relkind IN ('r', 'p') THEN " RELATION " ELSE '' END, "
     "pg_get_userbyid(c.relowner), x.statement, x.statement, ''" FROM_CLASS ", LATERAL (SELECT "
     "format('ALTER %s %s OWNER TO %I', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN "
     "'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, " RELATION
     ", pg_get_userbyid(c.relowner)) AS statement) x WHERE c.relkind IN ('r', 'p', 'v', 'm') OR "
     "c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = "
     "'pg_class'::regclass AND i.objid = c.oid AND i.deptype IN ('a', 'i'))"},
    {"grant", false, false,
     "SELECT format('%s to %s', g.what, g.who), CASE WHEN g.is_table THEN g.relation ELSE '' END, "
     "g.rights, format('GRANT %s ON %s TO %s', g.rights, g.what, g.who), format(E'REVOKE ALL ON %s "
     "FROM %s;\\nGRANT %s ON %s TO %s', g.what, g.who, g.rights, g.what, g.who), format('REVOKE "
     "ALL "
     "ON %s FROM %s', g.what, g.who) FROM (SELECT w.what, w.relation, w.is_table, CASE e.grantee "
     "WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(e.grantee)) END AS who, "
     "string_agg(e.privilege_type || CASE WHEN e.is_grantable THEN ' (with grant option)' ELSE '' "
     "END, ', ' ORDER BY e.privilege_type) AS rights FROM (SELECT format('%s %s', CASE c.relkind "
     "WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, " RELATION ") AS what, " RELATION " AS relation, "
     "c.relkind IN ('r', 'p') AS is_table, c.relacl AS acl, c.relowner AS owner" FROM_CLASS
     "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S') UNION ALL SELECT format('SCHEMA %I', "
     "n.nspname), "
     "'', false, n.nspacl, n.nspowner FROM pg_namespace n WHERE" USERS("n") "AND" OWN(
         "pg_namespace",
         "n.oid") "UNION ALL SELECT format('ROUTINE %s', p.oid::regprocedure), '', "
                  "false, p.proacl, p.proowner FROM pg_proc p JOIN pg_namespace n ON n.oid = "
                  "p.pronamespace AND" USERS("n") "AND" OWN(
                      "pg_proc", "p.oid") "WHERE p.prokind <> 'a') w, aclexplode(w.acl) e WHERE "
                                          "e.grantee <> w.owner GROUP BY w.what, w.relation, "
                                          "w.is_table, e.grantee) g"},
};

}  // namespace

std::span<const KindQuery> kind_queries() {
    return kQueries;
}

}  // namespace tarn::diff
