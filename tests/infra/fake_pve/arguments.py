"""Words of a command, checked against the schema of the vendor's API."""

import re
from typing import Any

Args = dict[str, str]


class Refused(Exception):
    """What the program says instead of doing it."""


def options(words: list[str]) -> tuple[list[str], Args]:
    """Positional words and `--key value` pairs; an option without a value is a switch."""
    plain, given = [], {}
    todo = list(words)
    while todo:
        word = todo.pop(0)
        if not word.startswith("--"):
            plain.append(word)
            continue
        key, equals, value = word[2:].partition("=")
        if not equals:
            value = todo.pop(0) if todo and not todo[0].startswith("--") else "1"
        if key in given:
            raise Refused(f"Option {key} given twice")
        given[key] = value
    return plain, given


def _one(name: str, value: str, rule: dict[str, Any]) -> None:
    kind = rule.get("type")
    if kind == "boolean" and value not in {"0", "1", "true", "false", "yes", "no"}:
        raise Refused(f"400 Parameter verification failed.\n{name}: type check ('boolean') failed")
    if kind == "integer" and not re.fullmatch(r"-?\d+", value):
        raise Refused(f"400 Parameter verification failed.\n{name}: type check ('integer') failed")
    if "enum" in rule and value not in rule["enum"]:
        raise Refused(
            f"400 Parameter verification failed.\n{name}: value '{value}' does not have a value "
            f"in the enumeration '{', '.join(rule['enum'])}'"
        )
    pattern = str(rule.get("pattern", ""))
    for posix, ours in (("[:cntrl:]", "\\x00-\\x1f"), ("[[:^cntrl:]]", "[^\\x00-\\x1f]")):
        pattern = pattern.replace(posix, ours)
    if pattern and "(?<" not in pattern and not re.fullmatch(pattern.strip("/"), value):
        raise Refused(f"400 Parameter verification failed.\n{name}: value does not match {pattern}")
    shape = rule.get("format")
    if not isinstance(shape, dict):
        return
    first = next((key for key, sub in shape.items() if sub.get("default_key")), None)
    for part in value.split(","):
        key, equals, text = part.partition("=")
        if not equals:
            key, text = first or "", part
        if key not in shape:
            raise Refused(
                f"400 Parameter verification failed.\n{name}: invalid format - "
                f"{key or part}: property is not defined in schema"
            )
        _one(f"{name}.{key}", text, shape[key])


def checked(schema: dict[str, Any], path: str, method: str, given: Args) -> tuple[str, Args]:
    """The schema's path that fits, and the parameters in it; refuses what the API would."""
    for known, methods in schema.items():
        names = re.findall(r"\{([^}]+)\}", known)
        pattern = re.sub(r"\\\{[^}]+\\\}", "([^/]+)", re.escape(known))
        fits = re.fullmatch(pattern, path)
        if fits is None or method not in methods:
            continue
        rules = methods[method]
        own = dict(zip(names, fits.groups(), strict=True))
        for name, value in given.items():
            rule = rules.get(name, rules.get(re.sub(r"\d+$", "[n]", name)))
            if rule is None or name in own:
                raise Refused(f"Unknown option: {name}\n400 unable to parse option")
            _one(name, value, rule)
        for name, rule in rules.items():
            if not rule.get("optional") and name not in own and name not in given:
                if "[n]" in name or method == "GET":
                    continue
                raise Refused(
                    f"400 not enough arguments\n{name}: property is missing and it is not optional"
                )
        return known, own
    raise Refused(f"No '{method.lower()}' handler defined for '{path}'")
