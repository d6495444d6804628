-- How a clock that was stopped at run time ran before; empty where it was not.
ALTER TABLE engine ADD COLUMN clock_thawed TEXT NOT NULL DEFAULT '';
