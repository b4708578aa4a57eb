"""One piece of code that checks parameters, for every path, and answers with PVE's own 400s."""

import re
from collections.abc import Mapping

from cloudpemda.lab.errors import invalid
from cloudpemda.lab.formats import Misformed, check_named, split_list
from cloudpemda.lab.tables import Declaration, Spec

MISSING = "property is missing and it is not optional"
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
INTEGER = re.compile(r"[+-]?\d+")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
TRUE, FALSE = ("1", "yes", "on", "true"), ("0", "no", "off", "false")

# How many of each numbered key a VM may have: `scsi0` to `scsi30`.
NUMBERED = {
    "net": 32, "scsi": 31, "virtio": 16, "ide": 4, "sata": 6, "ipconfig": 32, "hostpci": 16,
    "usb": 14,
    "serial": 4, "parallel": 3, "numa": 8, "unused": 256, "virtiofs": 10, "mp": 256, "dev": 256,
    "link": 8,
}  # fmt: skip
NUMBERED_KEY = re.compile(r"([a-z]+)(\d+)")


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
    if name in params:
        return params[name]
    found = NUMBERED_KEY.fullmatch(name)
    if found and int(found[2]) < NUMBERED.get(found[1], 0) and str(int(found[2])) == found[2]:
        return params.get(f"{found[1]}[n]")
    return None


class Checker:
    """Collects the faults of one set of parameters."""

    def __init__(self, privileges: frozenset[str]) -> None:
        self.privileges = privileges
        self.release = "8" if "VM.Monitor" in privileges else "9"
        self.faults: dict[str, str] = {}

    def check(
        self, specs: Mapping[str, Spec], values: Mapping[str, object], prefix: str = ""
    ) -> dict[str, str]:
        """The values as texts; faults under `prefix` + name."""
        good: dict[str, str] = {}
        for name, value in values.items():
            spec = declared(specs, name)
            if spec is None:
                self.faults[prefix + name] = UNKNOWN
                continue
            text = self._value(spec, value, prefix + name)
            if text is not None:
                good[name] = text
            if spec.requires and spec.requires not in values:
                self._requires(prefix, name, spec.requires)
        for name, spec in specs.items():
            if name not in values and not spec.optional and not spec.alias and "[n]" not in name:
                self.faults.setdefault(prefix + name, MISSING)
        return good

    def _requires(self, prefix: str, name: str, needed: str) -> None:
        text = f"missing property required by '{prefix}{name}'"
        if self.release == "8":
            text = f"missing property - '{prefix}{name}' requires this property"
        self.faults[prefix + needed] = text

    def _value(self, spec: Spec, value: object, path: str) -> str | None:
        if isinstance(value, bool):
            value = "1" if value else "0"
        if spec.type == "array":
            return self._array(spec, value, path)
        if isinstance(value, (list, dict)):
            what = "ARRAY" if isinstance(value, list) else "HASH"
            self.faults[path] = f"type check ('{spec.type}') failed - got {what}"
            return None
        text = str(value)
        fault = self._fault(spec, text, path)
        if fault:
            self.faults[path] = fault
            return None
        return text

    def _array(self, spec: Spec, value: object, path: str) -> str | None:
        parts = value if isinstance(value, list) else split_list(str(value))
        texts = [self._value(spec.items or Spec(), part, path) for part in parts]
        return ",".join(text for text in texts if text is not None)

    def _fault(self, spec: Spec, text: str, path: str) -> str:
        wrong = (
            (spec.type == "integer" and not INTEGER.fullmatch(text))
            or (spec.type == "number" and not NUMBER.fullmatch(text))
            or (spec.type == "boolean" and text not in ("0", "1"))
        )
        if wrong:
            return f"type check ('{spec.type}') failed - got '{text}'"
        try:
            self._format(spec, text, path)
        except Misformed as error:
            return f"invalid format - {error}"
        return _out_of_bounds(spec, text)

    def _format(self, spec: Spec, text: str, path: str) -> None:
        keys = spec.keys or PROPERTY_FORMATS.get(spec.format)
        if keys:
            self.property_string(keys, text, path)
        elif spec.format:
            check_named(spec.format, text, self.privileges)

    def property_string(self, keys: Mapping[str, Spec], text: str, path: str) -> dict[str, str]:
        """The keys of `a,b=c`; raises `Misformed` when they break their declarations."""
        values = parse_property_string(keys, text)
        inner = Checker(self.privileges)
        good = inner.check(keys, values, path + ".")
        if inner.faults:
            lines = "".join(f"{where}: {fault}\n" for where, fault in inner.faults.items())
            raise Misformed("format error\n" + lines)
        return good


def _out_of_bounds(spec: Spec, text: str) -> str:
    """What length, range, pattern or enumeration have against a value of the right type."""
    number = float(text) if spec.type in ("integer", "number") else None
    fault = ""
    if spec.max_length is not None and len(text) > spec.max_length:
        fault = f"value may only be {spec.max_length} characters long"
    elif spec.min_length is not None and len(text) < spec.min_length:
        fault = f"value must be at least {spec.min_length} characters long"
    elif number is not None and spec.minimum is not None and number < spec.minimum:
        fault = f"value must have a minimum value of {spec.minimum:g}"
    elif number is not None and spec.maximum is not None and number > spec.maximum:
        fault = f"value must have a maximum value of {spec.maximum:g}"
    elif spec.pattern and not re.fullmatch(spec.pattern, text):
        fault = "value does not match the regex pattern"
    elif spec.enum and text not in spec.enum:
        fault = f"value '{text}' does not have a value in the enumeration '{', '.join(spec.enum)}'"
    return fault


def parse_property_string(keys: Mapping[str, Spec], text: str) -> dict[str, str]:
    """Split `virtio=MAC,bridge=vmbr0` by its declared keys, aliases and default key resolved."""
    default = next((name for name, spec in keys.items() if spec.default_key), None)
    values: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals:
            if default is None:
                raise Misformed("value without key, but schema does not define a default key\n")
            name, value = default, part
        spec = keys.get(name)
        if spec is not None and spec.alias:
            if spec.key_alias:
                values[spec.key_alias] = name
            name = spec.alias
            spec = keys.get(name)
        if name in values:
            raise Misformed(f"duplicate key in comma-separated list property: {name}\n")
        if spec is not None and spec.type == "boolean":
            value = "1" if value.lower() in TRUE else "0" if value.lower() in FALSE else value
        values[name] = value
    return values


def _optional(**formats: str) -> dict[str, Spec]:
    return {name: Spec(optional=True, format=form) for name, form in formats.items()}


_KEEP = Spec(type="integer", optional=True, minimum=0)
PROPERTY_FORMATS: dict[str, dict[str, Spec]] = {
    "pve-qm-ipconfig": {
        "ip": Spec(optional=True, format="pve-ipv4-config"),
        "gw": Spec(optional=True, format="ipv4", requires="ip"),
        "ip6": Spec(optional=True, format="pve-ipv6-config"),
        "gw6": Spec(optional=True, format="ipv6", requires="ip6"),
    },
    "pve-qm-cicustom": _optional(
        meta="pve-volume-id", network="pve-volume-id", user="pve-volume-id", vendor="pve-volume-id"
    ),
    "prune-backups": {
        f"keep-{name}": _KEEP for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")
    }
    | {"keep-all": Spec(type="boolean", optional=True)},
}


def check_params(
    declaration: Declaration, values: Mapping[str, object], privileges: frozenset[str]
) -> Params:
    """Check a call's parameters against its declaration; raises the 400 with all faults at once."""
    checker = Checker(privileges)
    if not declaration.variant_key:
        good = checker.check(declaration.params, values)
    else:
        good = _check_variant(checker, declaration, values)
    if checker.faults:
        raise invalid(checker.faults)
    return Params(good)


def _check_variant(
    checker: Checker, declaration: Declaration, values: Mapping[str, object]
) -> dict[str, str]:
    """Parameters of which one (`type`) says which others there are."""
    kind = str(values.get(declaration.variant_key, ""))
    variant = declaration.variants.get(kind)
    if variant is None:
        return checker.check(declaration.params, values)
    own = {name: value for name, value in values.items() if name in variant}
    good = checker.check(variant, own, f"oneOf[{kind}].")
    return good | checker.check(
        declaration.params, {name: v for name, v in values.items() if name not in variant}
    )
