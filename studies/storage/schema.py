"""The tables of a study file; each entry of MIGRATIONS takes a file one version further.

Trials and failed designs share one sequence of numbers, in the order in which designs were asked for. Genomes are
stored as little-endian unsigned integers of the width named in moco_studies.genome_dtype, one block a value; breakdowns
as little-endian float64. Everything else is in plain columns, and a view `trials_<study>` shows one row a trial with
the objectives under their names. Further views for any SQLite tool: `moco_overview` has one row a study,
`moco_named_values` one row a value, `moco_failed_designs` one a failure. Checksums are those of
`studies.storage.checksums`, null in rows older than version 2.
"""

from __future__ import annotations

GENOME_DTYPES = ("<u1", "<u2", "<u4")
"""Narrowest first."""

MIGRATIONS = (
    """
    CREATE TABLE moco_studies (
        study_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        space TEXT NOT NULL,
        space_digest TEXT NOT NULL,
        engine TEXT NOT NULL,
        seed INTEGER NOT NULL,
        population_size INTEGER NOT NULL,
        digests TEXT NOT NULL,
        genome_dtype TEXT NOT NULL CHECK (genome_dtype IN ('<u1', '<u2', '<u4')),
        n_published INTEGER NOT NULL DEFAULT 0,
        created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) STRICT;
    CREATE TABLE moco_quantities (
        study_id INTEGER NOT NULL REFERENCES moco_studies ON DELETE CASCADE,
        position INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('objective', 'constraint', 'attribute', 'breakdown')),
        name TEXT NOT NULL COLLATE NOCASE,
        unit TEXT NOT NULL,
        direction TEXT CHECK (direction IN ('min', 'max')),
        reference_value REAL,
        limit_value REAL,
        n_columns INTEGER,
        PRIMARY KEY (study_id, position),
        UNIQUE (study_id, role, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_generations (
        study_id INTEGER NOT NULL REFERENCES moco_studies ON DELETE CASCADE,
        generation INTEGER NOT NULL,
        n_trials INTEGER NOT NULL,
        evaluation_s REAL NOT NULL,
        stored_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
        PRIMARY KEY (study_id, generation)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_trials (
        study_id INTEGER NOT NULL REFERENCES moco_studies ON DELETE CASCADE,
        number INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        key TEXT NOT NULL,
        is_feasible INTEGER NOT NULL CHECK (is_feasible IN (0, 1)),
        genome BLOB NOT NULL,
        PRIMARY KEY (study_id, number),
        UNIQUE (study_id, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_values (
        study_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        position INTEGER NOT NULL,
        value REAL,
        PRIMARY KEY (study_id, number, position),
        FOREIGN KEY (study_id, number) REFERENCES moco_trials ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_breakdowns (
        study_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        position INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (study_id, number, position),
        FOREIGN KEY (study_id, number) REFERENCES moco_trials ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_engine_states (
        study_id INTEGER PRIMARY KEY REFERENCES moco_studies ON DELETE CASCADE,
        generation INTEGER NOT NULL,
        state TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE moco_failures (
        study_id INTEGER NOT NULL REFERENCES moco_studies ON DELETE CASCADE,
        number INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        key TEXT NOT NULL,
        genome BLOB NOT NULL,
        reason TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (study_id, number),
        UNIQUE (study_id, key)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE moco_trials ADD COLUMN checksum INTEGER;
    ALTER TABLE moco_engine_states ADD COLUMN checksum INTEGER;
    CREATE VIEW moco_overview AS
        SELECT s.name AS study, s.engine, s.seed, s.population_size, s.created_at,
            (SELECT max(stored_at) FROM moco_generations g WHERE g.study_id = s.study_id) AS last_stored_at,
            (SELECT count(*) FROM moco_generations g WHERE g.study_id = s.study_id) AS n_generations,
            (SELECT sum(evaluation_s) FROM moco_generations g WHERE g.study_id = s.study_id) AS evaluation_s,
            (SELECT count(*) FROM moco_trials t WHERE t.study_id = s.study_id) AS n_evaluated,
            (SELECT count(*) FROM moco_trials t WHERE t.study_id = s.study_id AND is_feasible) AS n_feasible,
            (SELECT count(*) FROM moco_failures f WHERE f.study_id = s.study_id) AS n_failed
        FROM moco_studies s;
    CREATE VIEW moco_failed_designs AS
        SELECT s.name AS study, f.number, f.generation, f.key, f.reason
        FROM moco_failures f JOIN moco_studies s USING (study_id);
    CREATE VIEW moco_named_values AS
        SELECT s.name AS study, v.number, t.generation, t.key, t.is_feasible, q.role, q.name AS quantity, q.unit,
            v.value
        FROM moco_values v JOIN moco_trials t USING (study_id, number)
            JOIN moco_quantities q USING (study_id, position) JOIN moco_studies s USING (study_id)
    """,
)
