"""What tests that need servers share: a database server, and stores in it."""

import pytest
from databases import database_server, database_store, database_with_store  # noqa: F401

pytest.register_assert_rewrite("store_laws", "store_sql_laws")
