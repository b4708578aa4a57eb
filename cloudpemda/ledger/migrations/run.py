"""How the statements of a migration are run on either database."""

from collections.abc import Sequence

from sqlalchemy import Connection, text


def run(connection: Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        # Texts sort as bytes on every database: moments and keys are compared as text.
        sorting = connection.dialect.name == "postgresql" and statement.startswith("CREATE TABLE")
        spelt = statement.replace(" TEXT", ' TEXT COLLATE "C"') if sorting else statement
        connection.execute(text(spelt))
