-- A page of a project's branches, those that are deleted among them, without a look at the rest.
CREATE INDEX branches_in_order ON branches (project_uid, id, uid);
