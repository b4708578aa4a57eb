"""One piece of code that checks parameters, for every path, and answers with PVE's own 400s."""

import re
from collections.abc import Mapping

from cloudpemda.lab.errors import invalid
from cloudpemda.lab.formats import Misformed, check_named, split_list
from cloudpemda.lab.tables import Declaration, Spec, formats

MISSING = "property is missing and it is not optional"
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
SHAPES = {
    "integer": r"[+-]?\d+",
    "number": r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?",
    "boolean": "[01]",
}
TRUE, FALSE = ("1", "yes", "on", "true"), ("0", "no", "off", "false")
NUMBERED_KEY = re.compile(r"([a-z]+)(0|[1-9]\d*)")


class Params(dict[str, str]):
    """Checked parameters, as sent: texts. The accessors read them as their declared type."""

    def whole(self, name: str, default: int = 0) -> int:
        return int(self[name]) if name in self else default

    def flag(self, name: str, default: bool = False) -> bool:
        return self[name] == "1" if name in self else default

    def items_of(self, name: str) -> list[str]:
        return split_list(self.get(name, ""))


def declared(params: Mapping[str, Spec], name: str) -> Spec | None:
    """The declaration of a parameter, numbered ones (`net[n]`) included."""
    numbered = NUMBERED_KEY.fullmatch(name)
    if name not in params and numbered:
        kind, number = numbered.groups()
        name = f"{kind}[n]" if int(number) < formats().numbered.get(kind, 0) else ""
    return params.get(name)


class Checker:
    """Collects the faults of one set of parameters."""

    def __init__(self, release: str, privileges: frozenset[str]) -> None:
        self.release, self.privileges = release, privileges
        self.faults: dict[str, str] = {}

    def check(
        self, specs: Mapping[str, Spec], values: Mapping[str, object], prefix: str = ""
    ) -> dict[str, str]:
        """The values as texts; faults under `prefix` + name."""
        good: dict[str, str] = {}
        for name, value in values.items():
            spec, path = declared(specs, name), prefix + name
            if spec is None:
                self.faults[path] = UNKNOWN
                continue
            text = self._value(spec, value, path)
            if text is not None:
                good[name] = text
            if spec.requires and spec.requires not in values:
                self.faults[prefix + spec.requires] = (
                    f"missing property - '{path}' requires this property"
                    if self.release == "8"
                    else f"missing property required by '{path}'"
                )
        for name, spec in specs.items():
            if name not in values and not spec.optional and not spec.alias and "[n]" not in name:
                self.faults.setdefault(prefix + name, MISSING)
        return good

    def _value(self, spec: Spec, value: object, path: str) -> str | None:
        if spec.type == "array":
            item = spec.items or Spec()  # `node=pve1,path=/srv` is one, not two
            some = [value] if item.keys else split_list(str(value))
            parts = value if isinstance(value, list) else some
            texts = [self._value(item, part, path) for part in parts]
            return "\0".join(text for text in texts if text is not None)
        text = str(int(value)) if isinstance(value, bool) else str(value)
        if isinstance(value, (list, dict)):
            what = "ARRAY" if isinstance(value, list) else "HASH"
            fault = f"type check ('{spec.type}') failed - got {what}"
        else:
            fault = self._fault(spec, text, path)
        if fault:
            self.faults[path] = fault
            return None
        return text

    def _fault(self, spec: Spec, text: str, path: str) -> str:
        if not re.fullmatch(SHAPES.get(spec.type, "(?s).*"), text):
            return f"type check ('{spec.type}') failed - got '{text}'"
        try:
            if keys := spec.keys or formats().keys.get(spec.format):
                self._property_string(keys, text, path)
            elif spec.format:
                check_named(spec.format, text, self.privileges)
        except Misformed as error:
            return f"invalid format - {error}"
        return _out_of_bounds(spec, text)

    def _property_string(self, keys: Mapping[str, Spec], text: str, path: str) -> None:
        """Raise `Misformed` when the keys of `a,b=c` break their declarations."""
        inner = Checker(self.release, self.privileges)
        inner.check(keys, parse_property_string(keys, text), path + ".")
        if inner.faults:
            lines = "".join(f"{where}: {fault}\n" for where, fault in inner.faults.items())
            raise Misformed("format error\n" + lines)


def _out_of_bounds(spec: Spec, text: str) -> str:
    """What length, range, pattern or enumeration have against a value of the right type."""
    length, number = len(text), float(text) if spec.type in ("integer", "number") else None
    longest, shortest, least, most = spec.max_length, spec.min_length, spec.minimum, spec.maximum
    fault = ""
    if longest is not None and length > longest:
        fault = f"value may only be {longest} characters long"
    elif shortest is not None and length < shortest:
        fault = f"value must be at least {shortest} characters long"
    elif number is not None and least is not None and number < least:
        fault = f"value must have a minimum value of {least}"
    elif number is not None and most is not None and number > most:
        fault = f"value must have a maximum value of {most}"
    elif spec.pattern and not re.fullmatch(spec.pattern, text):
        fault = "value does not match the regex pattern"
    elif spec.enum and text not in spec.enum:
        fault = f"value '{text}' does not have a value in the enumeration '{', '.join(spec.enum)}'"
    return fault


def parse_property_string(keys: Mapping[str, Spec], text: str) -> dict[str, str]:
    """Split `virtio=MAC,bridge=vmbr0` by its declared keys, aliases and default key resolved."""
    default = next((name for name, spec in keys.items() if spec.default_key), None)
    values: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            if default is None:
                raise Misformed("value without key, but schema does not define a default key\n")
            name, value = default, part
        spec = keys.get(name)
        if spec is not None and spec.alias:
            if spec.key_alias:
                values[spec.key_alias] = name
            name, spec = spec.alias, keys.get(spec.alias)
        if name in values:
            raise Misformed(f"duplicate key in comma-separated list property: {name}\n")
        if spec is not None and spec.type == "boolean":
            value = "1" if value.lower() in TRUE else "0" if value.lower() in FALSE else value
        values[name] = value
    return values


def check_params(
    declaration: Declaration, values: Mapping[str, object], release: str, privileges: frozenset[str]
) -> Params:
    """Check a call's parameters against its declaration; raises the 400 with all faults at once."""
    checker = Checker(release, privileges)
    # Of some calls one parameter (`type`) says which others there are.
    kind = str(values.get(declaration.variant_key, ""))
    variant = declaration.variants.get(kind, {})
    own = {name: value for name, value in values.items() if name in variant}
    common = {name: value for name, value in values.items() if name not in variant}
    good = checker.check(variant, own, f"oneOf[{kind}].")
    good |= checker.check(declaration.params, common)
    if checker.faults:
        raise invalid(checker.faults)
    return Params(good)
