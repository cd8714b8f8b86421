-- The secrets of a file from an earlier version are sealed when it is opened, before anything else uses it.
CREATE TABLE sealing (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    probe TEXT NOT NULL
) STRICT;
