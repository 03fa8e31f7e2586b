"""Alembic's entry: runs on the connection that domain.storage.migrating hands over."""

from alembic import context

from domain.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
