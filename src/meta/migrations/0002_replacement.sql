-- A branch that is restored or reset takes the storage of another, which is made for that.
ALTER TABLE branches ADD COLUMN replaced_by TEXT; -- that one's uid, until the two have changed places
-- The branch under which a restore or reset keeps what was there before.
ALTER TABLE operations ADD COLUMN preserved_branch TEXT;
