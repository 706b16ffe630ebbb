"""Table of jobs in a SQLite file, with one connection per request."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from .config import DATABASE

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id         INTEGER PRIMARY KEY,
    title      TEXT NOT NULL,
    company    TEXT NOT NULL,
    status     TEXT NOT NULL DEFAULT 'wishlist',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
)
"""


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(DATABASE)
    connection.row_factory = sqlite3.Row
    try:
        # Commits on success and rolls back on an exception, but does not close.
        with connection:
            yield connection
    finally:
        connection.close()


def prepare() -> None:
    DATABASE.parent.mkdir(parents=True, exist_ok=True)
    with _database() as db:
        db.execute(SCHEMA)


def list_jobs() -> list[dict]:
    with _database() as db:
        return [dict(row) for row in db.execute("SELECT * FROM jobs ORDER BY id DESC")]


def add_job(title: str, company: str) -> dict:
    with _database() as db:
        row = db.execute(
            "INSERT INTO jobs (title, company) VALUES (?, ?) RETURNING *", (title, company)
        ).fetchone()
        return dict(row)


def set_status(job_id: int, status: str) -> dict | None:
    with _database() as db:
        row = db.execute(
            "UPDATE jobs SET status = ? WHERE id = ? RETURNING *", (status, job_id)
        ).fetchone()
        return dict(row) if row else None


def delete_job(job_id: int) -> bool:
    with _database() as db:
        return db.execute("DELETE FROM jobs WHERE id = ?", (job_id,)).rowcount > 0
