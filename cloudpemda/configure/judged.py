"""Values of roles' own variables, held against what the roles declare of them.

Ansible would refuse the same, but on the server, at the beginning of that role: here it is told
before any is reached. A template is the operators' own and only Ansible knows what it becomes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cloudpemda.document import DocumentPath

Rule = Mapping[str, Any]
"""One option of an argument specification."""

Wrong = tuple[DocumentPath, str, Mapping[str, str]]
"""Where below the variable, which fault, its values."""


def judged(rule: Rule, value: object, at: DocumentPath = ()) -> Iterator[Wrong]:
    """All that is wrong with a value."""
    if value is None or (isinstance(value, str) and "{{" in value):
        return
    kind = str(rule.get("type", "str"))
    if not _is(kind, value):
        yield at, "configure.role-type", {"wanted": kind}
        return
    choices = [str(one) for one in rule.get("choices", ())]
    if choices and str(value) not in choices:
        yield at, "configure.role-choice", {"wanted": ", ".join(choices)}
    if isinstance(value, tuple):
        element = {**rule, "type": rule.get("elements", "str"), "elements": None, "choices": ()}
        for number, one in enumerate(value):
            yield from judged(element, one, (*at, number))
    if isinstance(value, dict) and value and rule.get("options"):
        yield from _parts(rule["options"], value, at)


def _parts(
    rules: Mapping[str, Rule], value: Mapping[Any, object], at: DocumentPath
) -> Iterator[Wrong]:
    for name, one in value.items():
        if name in rules:
            yield from judged(rules[name], one, (*at, name))
        else:
            yield (*at, str(name)), "configure.role-part", {"known": ", ".join(sorted(rules))}
    for name, rule in rules.items():
        if rule.get("required") and value.get(name) is None:
            yield at, "configure.role-lacks", {"part": name}


def _is(kind: str, value: object) -> bool:
    """Whether a plain value is what Ansible takes for that kind."""
    if kind == "bool":
        return isinstance(value, bool)
    if kind in {"int", "float"}:
        wanted = (int,) if kind == "int" else (int, float)
        return isinstance(value, wanted) and not isinstance(value, bool)
    if kind == "list":
        return isinstance(value, tuple)
    if kind == "dict":
        return isinstance(value, dict)
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)
