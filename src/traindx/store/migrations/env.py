"""Alembic's way in: migrates the connection it is handed, inside the transaction that is open there."""

from __future__ import annotations

from alembic import context

from traindx.store.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
