"""What a cluster holds, as plain values: two clusters with the same history must give the same.

Except for sequences: PostgreSQL logs 32 values ahead (SEQ_LOG_VALS), and a recovery that begins at an older
checkpoint ends with that value where one that begins at a younger one has the value itself.
"""

SEQUENCE_VALUES_LOGGED_AHEAD = 32

# Without those of which a DROP DATABASE has begun and not ended: nobody can connect to them (datconnlimit -2).
DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2 ORDER BY 1"

CLUSTER = {
    "databases": "SELECT datname, datallowconn, datconnlimit, pg_encoding_to_char(encoding) FROM pg_database",
    "roles": "SELECT rolname, rolsuper, rolcanlogin, rolcreatedb, rolcreaterole FROM pg_roles",
    "role settings": "SELECT setdatabase, setrole::regrole::text, setconfig::text FROM pg_db_role_setting",
    "memberships": "SELECT roleid::regrole::text, member::regrole::text FROM pg_auth_members",
    "prepared transactions": "SELECT gid, owner, database FROM pg_prepared_xacts",
}

OURS = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"

DATABASE = {
    "schemas": "SELECT nspname, pg_get_userbyid(nspowner), nspacl::text FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_temp%' "
               "AND nspname NOT LIKE 'pg\\_toast\\_temp%'",
    "relations": f"""
        SELECT c.oid, c.oid::regclass::text, c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), c.reloptions::text,
               c.relacl::text, c.relrowsecurity, obj_description(c.oid, 'pg_class')
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}""",
    "columns": f"""
        SELECT c.oid::regclass::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
               pg_get_expr(d.adbin, d.adrelid)
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
         WHERE a.attnum > 0 AND NOT a.attisdropped AND {OURS}""",
    "indexes": f"""
        SELECT pg_get_indexdef(i.indexrelid), i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OURS}""",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid >= 16384",
    "views": f"""
        SELECT c.oid::regclass::text, pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('v', 'm') AND {OURS}""",
    "functions": f"""
        SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text FROM pg_proc p
          JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind IN ('f', 'p') AND {OURS}""",
    "types": f"""
        SELECT t.oid::regtype::text, t.typtype, (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e
          WHERE e.enumtypid = t.oid)::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {OURS}""",
    "triggers": "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid), tgenabled FROM pg_trigger WHERE NOT tgisinternal",
    "policies": "SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies",
    "extensions": "SELECT extname, extversion FROM pg_extension",
    "large objects": "SELECT loid, md5(string_agg(data, ''::bytea ORDER BY pageno)) FROM pg_largeobject GROUP BY loid",
}

FILLED = f"""
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'm') AND {OURS} ORDER BY 1"""
SEQUENCES = f"""
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'S' AND {OURS} ORDER BY 1"""


def contents(connect):
    """{what: rows or a hash of them} of a whole cluster; `connect` takes the name of a database."""
    found = {}
    with connect("postgres") as conn:
        for what, query in CLUSTER.items():
            found[what] = sorted(map(str, conn.execute(query).fetchall()))
        databases = [name for name, in conn.execute(DATABASES).fetchall()]
    for database in databases:
        with connect(database) as conn:
            for what, query in DATABASE.items():
                found[f"{database}: {what}"] = sorted(map(str, conn.execute(query).fetchall()))
            for name, in conn.execute(FILLED).fetchall():
                found[f"{database}: rows of {name}"] = conn.execute(
                    f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {name} t").fetchone()
            for name, in conn.execute(SEQUENCES).fetchall():
                found[f"{database}: sequence {name}"] = conn.execute(f"SELECT last_value, is_called FROM {name}").fetchone()
    return found


def differences(left, right):
    """One line for each thing that differs, "" if nothing does."""
    lines = []
    for what in sorted(left.keys() | right.keys()):
        a, b = left.get(what, "not there"), right.get(what, "not there")
        if isinstance(a, list) and isinstance(b, list):
            a, b = sorted(set(a) - set(b)), sorted(set(b) - set(a))
        if ": sequence " in what and isinstance(a, tuple) and isinstance(b, tuple) and a[1] == b[1] and \
                abs(a[0] - b[0]) <= SEQUENCE_VALUES_LOGGED_AHEAD:
            continue
        if a != b:
            lines.append(f"{what}: {str(a)[:300]} | {str(b)[:300]}")
    return "\n".join(lines)
