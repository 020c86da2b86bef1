"""The revisions, numbered: a newer one has the greater number."""
