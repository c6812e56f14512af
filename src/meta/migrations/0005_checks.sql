-- What is known of a lineage, the storage of a branch or snapshot: a restore exchanges storage, and
-- what was found in it goes with it. No references: lineages outlive the branches that had them.
CREATE TABLE verifications (
    lineage           TEXT    PRIMARY KEY,
    seen_time         INTEGER NOT NULL, -- when the scrubber met it first
    verify_time       INTEGER,          -- when it was last read to its end
    whole_time        INTEGER,          -- when that last found no damage
    bytes             INTEGER NOT NULL, -- that were read for it
    damage_count      INTEGER NOT NULL,
    damages           TEXT    NOT NULL, -- JSON array of lines: the first of them
    newest_whole_lsn  INTEGER,
    newest_whole_time INTEGER,
    failure           TEXT              -- why the last try could not read it
) STRICT, WITHOUT ROWID;

CREATE TABLE restore_checks (
    lineage       TEXT    PRIMARY KEY,
    check_time    INTEGER NOT NULL,
    good_time     INTEGER,          -- when one last found nothing
    moment_lsn    INTEGER,          -- that was opened; nothing if none was found
    moment_time   INTEGER NOT NULL,
    relations     INTEGER NOT NULL, -- that were checked
    failure_count INTEGER NOT NULL,
    failures      TEXT    NOT NULL  -- JSON array of lines: the first of them
) STRICT, WITHOUT ROWID;
