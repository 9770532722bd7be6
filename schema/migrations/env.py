"""Run the migrations on the connection that the caller hands over (schema/migrate.py)."""

from alembic import context

from schema.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
