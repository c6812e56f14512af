-- Times are microseconds since 1970-01-01 UTC, spans are microseconds, flags are 0 or 1.
-- A mutation writes the wanted state and its operation in one transaction; reconcilers make it so.

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id           INTEGER PRIMARY KEY,
    user_name    TEXT    NOT NULL UNIQUE,
    display_name TEXT    NOT NULL,
    kind         TEXT    NOT NULL CHECK (kind IN ('user', 'service_principal')),
    is_admin     INTEGER NOT NULL,
    create_time  INTEGER NOT NULL
) STRICT;

-- A token is kept only as its SHA-256: it is 256 random bits, so no salt or stretching is needed.
CREATE TABLE tokens (
    id          TEXT    PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash        BLOB    NOT NULL UNIQUE,
    comment     TEXT    NOT NULL,
    create_time INTEGER NOT NULL,
    expire_time INTEGER
) STRICT;

CREATE TABLE signing_keys (
    kid         TEXT    PRIMARY KEY,
    private_key TEXT    NOT NULL, -- PEM, EC P-256
    create_time INTEGER NOT NULL,
    retire_time INTEGER           -- no longer signs; still verifies
) STRICT;

CREATE TABLE projects (
    uid                    TEXT    PRIMARY KEY,
    id                     TEXT    NOT NULL UNIQUE, -- a deleted project holds its id until it is purged
    state                  TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'deleted', 'purging')),
    display_name           TEXT    NOT NULL,
    pg_version             INTEGER NOT NULL,
    owner                  TEXT    NOT NULL,
    default_branch_uid     TEXT    NOT NULL,
    history_retention      INTEGER NOT NULL,
    enable_pg_native_login INTEGER NOT NULL,
    default_min_cu         REAL    NOT NULL,
    default_max_cu         REAL    NOT NULL,
    default_suspend        INTEGER NOT NULL, -- 0: never
    default_pg_settings    TEXT    NOT NULL, -- JSON object of strings
    custom_tags            TEXT    NOT NULL, -- JSON array of {key, value}
    budget_policy_id       TEXT    NOT NULL,
    create_time            INTEGER NOT NULL,
    update_time            INTEGER NOT NULL,
    delete_time            INTEGER,
    purge_time             INTEGER
) STRICT;

CREATE TABLE branches (
    uid               TEXT    PRIMARY KEY,
    project_uid       TEXT    NOT NULL REFERENCES projects (uid),
    id                TEXT    NOT NULL,
    state             TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'deleted', 'purging')),
    lineage           TEXT    NOT NULL UNIQUE,
    source_uid        TEXT,              -- branch it was made from; that one may be purged before
    source_name       TEXT,              -- its name then
    source_lsn        INTEGER,
    source_time       INTEGER,
    is_protected      INTEGER NOT NULL,
    expire_time       INTEGER,
    create_time       INTEGER NOT NULL,
    update_time       INTEGER NOT NULL,
    state_change_time INTEGER NOT NULL,
    delete_time       INTEGER,
    purge_time        INTEGER
) STRICT;
-- A deleted branch gives its id free at once, though its row stays until the purge.
CREATE UNIQUE INDEX branches_by_id ON branches (project_uid, id) WHERE delete_time IS NULL;
CREATE INDEX branches_by_source ON branches (source_uid);

CREATE TABLE endpoints (
    uid              TEXT    PRIMARY KEY,
    branch_uid       TEXT    NOT NULL REFERENCES branches (uid),
    id               TEXT    NOT NULL,
    type             TEXT    NOT NULL CHECK (type IN ('read_write', 'read_only')),
    address          TEXT    NOT NULL UNIQUE,
    min_cu           REAL    NOT NULL,
    max_cu           REAL    NOT NULL,
    suspend          INTEGER NOT NULL, -- 0: never
    disabled         INTEGER NOT NULL,
    pg_settings      TEXT    NOT NULL, -- JSON object of strings
    create_time      INTEGER NOT NULL,
    update_time      INTEGER NOT NULL,
    last_active_time INTEGER,
    UNIQUE (branch_uid, id)
) STRICT;

CREATE TABLE roles (
    branch_uid    TEXT    NOT NULL REFERENCES branches (uid),
    id            TEXT    NOT NULL,
    postgres_role TEXT    NOT NULL,
    identity_type TEXT    NOT NULL, -- as in the API; '' for a plain role
    auth_method   TEXT    NOT NULL,
    createdb      INTEGER NOT NULL,
    createrole    INTEGER NOT NULL,
    bypassrls     INTEGER NOT NULL,
    is_superuser  INTEGER NOT NULL, -- member of databricks_superuser
    create_time   INTEGER NOT NULL,
    update_time   INTEGER NOT NULL,
    PRIMARY KEY (branch_uid, id),
    UNIQUE (branch_uid, postgres_role)
) STRICT, WITHOUT ROWID;

CREATE TABLE databases (
    branch_uid        TEXT    NOT NULL REFERENCES branches (uid),
    id                TEXT    NOT NULL,
    postgres_database TEXT    NOT NULL,
    role_id           TEXT    NOT NULL,
    create_time       INTEGER NOT NULL,
    update_time       INTEGER NOT NULL,
    PRIMARY KEY (branch_uid, id),
    UNIQUE (branch_uid, postgres_database)
) STRICT, WITHOUT ROWID;

-- No references: an operation stays readable after its resource is gone.
CREATE TABLE operations (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT    NOT NULL UNIQUE,
    kind          TEXT    NOT NULL,
    resource_name TEXT    NOT NULL,
    resource_uid  TEXT    NOT NULL,
    project_uid   TEXT    NOT NULL, -- operations of one project run one after the other
    done          INTEGER NOT NULL,
    error_code    TEXT,             -- set before done: what was begun is being taken back
    error_message TEXT,
    create_time   INTEGER NOT NULL,
    finish_time   INTEGER
) STRICT;
CREATE INDEX operations_pending ON operations (seq) WHERE done = 0;
CREATE INDEX operations_finished ON operations (finish_time) WHERE done = 1;
