"""How texts are compared and ordered: by code point, on every database alike.

SQLite does so by itself (BINARY); PostgreSQL is told to (COLLATE "C"), since the order of its other
collations depends on the libraries of the machine. What people see as order is in the folded
columns, which code points put right.
"""

import sqlalchemy
from sqlalchemy.dialects import postgresql

Text = sqlalchemy.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
