"""How the schema came to be, one revision a file. Run by alembic when a store is opened that lacks the newest."""
