CREATE TABLE snapshots (
    uid          TEXT    PRIMARY KEY,
    project_uid  TEXT    NOT NULL REFERENCES projects (uid),
    id           TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('creating', 'ready', 'purging')),
    lineage      TEXT    NOT NULL UNIQUE,
    source_uid   TEXT    NOT NULL, -- the branch that it is of; that one may be purged before
    source_name  TEXT    NOT NULL, -- its name then
    source_lsn   INTEGER,
    source_time  INTEGER,
    is_scheduled INTEGER NOT NULL, -- taken by the branch's schedule
    expire_time  INTEGER,
    create_time  INTEGER NOT NULL,
    UNIQUE (project_uid, id)
) STRICT;

CREATE TABLE snapshot_schedules (
    branch_uid TEXT    PRIMARY KEY REFERENCES branches (uid),
    cadences   TEXT    NOT NULL, -- JSON array, as in the API
    since      INTEGER NOT NULL  -- what was due by then has been taken
) STRICT, WITHOUT ROWID;

ALTER TABLE branches ADD COLUMN source_snapshot_uid TEXT;  -- it was made from; may be gone
ALTER TABLE branches ADD COLUMN source_snapshot_name TEXT; -- its name
