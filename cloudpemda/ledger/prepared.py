"""Statements that are compiled once, for what is done while everybody else waits.

To look a statement up, to bind its values and to wrap its rows costs SQLAlchemy more than a small
statement costs the database. Here each is compiled once for a kind of database, and the driver is
asked past SQLAlchemy, which would write down anew what each answer's columns are. Values are handed
over as they are stored, and rows come back so: moments are texts (`schema.moment_text`).
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import CompilerElement

T = TypeVar("T")
Values = Mapping[str, object]
Bound = tuple[object, ...] | dict[str, object]


class Prepared:
    """One statement with named parameters."""

    def __init__(self, statement: Executable) -> None:
        self._statement = statement
        self._made: dict[str, tuple[str, Callable[[Values], Bound]]] = {}

    def rows(self, connection: Connection, values: Values) -> Sequence[tuple[Any, ...]]:
        """What it finds; what its rows are made of, the statement alone knows."""
        text, bind = self._for(connection.dialect)
        bound = bind(values)

        def ask(cursor: DBAPICursor) -> Sequence[tuple[Any, ...]]:
            cursor.execute(text, bound)
            return cursor.fetchall()

        return _driven(connection, text, ask)

    def row(self, connection: Connection, values: Values) -> tuple[Any, ...] | None:
        """The first row of them; None for none."""
        return next(iter(self.rows(connection, values)), None)

    def run(self, connection: Connection, *several: Values) -> None:
        """Change something for each of them, in order."""
        text, bind = self._for(connection.dialect)
        bound: list[Any] = [bind(values) for values in several]  # all tuples, or all dicts
        if len(bound) == 1:
            _driven(connection, text, lambda cursor: cursor.execute(text, bound[0]))
        else:
            _driven(connection, text, lambda cursor: cursor.executemany(text, bound))

    def _for(self, dialect: Dialect) -> tuple[str, Callable[[Values], Bound]]:
        made = self._made.get(dialect.name)
        if made is None:
            made = self._made[dialect.name] = _compiled(self._statement, dialect)
        return made


def execute(connection: Connection, text: str) -> None:
    """Say something to the database that has no answer."""
    _driven(connection, text, lambda cursor: cursor.execute(text))


def _driven(connection: Connection, text: str, ask: Callable[[DBAPICursor], T]) -> T:
    """What the driver answers to a text. Raises DBAPIError, as SQLAlchemy does."""
    dialect, driver = connection.dialect, connection.connection
    cursor = driver.cursor()
    try:
        return ask(cursor)
    except dialect.loaded_dbapi.Error as error:
        if dialect.is_disconnect(error, driver, cursor):
            connection.invalidate(error)
        raise DBAPIError.instance(
            text, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
        ) from error
    finally:
        cursor.close()


def _compiled(statement: Executable, dialect: Dialect) -> tuple[str, Callable[[Values], Bound]]:
    """Its text, and how values by name become what the driver takes."""
    if not isinstance(statement, CompilerElement):
        raise TypeError(f"{statement!r} cannot be compiled")
    compiled = statement.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError(f"{statement!r} has no parameters")
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    order = compiled.positiontup
    if order is None:
        return compiled.string, lambda values: {**fixed, **values}
    if len(order) < 2:
        return compiled.string, lambda values: tuple({**fixed, **values}[name] for name in order)
    pick = itemgetter(*order)
    if not fixed:
        return compiled.string, pick
    return compiled.string, lambda values: pick({**fixed, **values})
