"""SSH public keys as text from outside: known type, sound base64, sound inside.

The wire format (RFC 4253 section 6.6, RFC 5656, RFC 8709) is a list of strings, each after its
length in four bytes.
"""

import base64
import binascii

_CURVES = {
    "ecdsa-sha2-nistp256": (b"nistp256", 65),
    "ecdsa-sha2-nistp384": (b"nistp384", 97),
    "ecdsa-sha2-nistp521": (b"nistp521", 133),
}
TYPES = ("ssh-ed25519", *_CURVES, "ssh-rsa")
LEAST_RSA_BITS = 2048
LONGEST = 4096
"""Characters; an RSA key of 16384 bits has some 2,800."""


def fault_of(text: str) -> str | None:
    """The code of what is wrong with one public key; None where it is sound."""
    if "PRIVATE KEY" in text:
        return "request.ssh-private-key"
    if len(text) > LONGEST or not text.isprintable():
        return "request.ssh-key"
    kind, _, rest = text.partition(" ")
    if kind not in TYPES:
        return "request.ssh-key-type"
    try:
        blob = base64.b64decode(rest.partition(" ")[0], validate=True)
    except (binascii.Error, ValueError):
        return "request.ssh-key"
    parts = _parts(blob)
    if parts is None or parts[0] != kind.encode():
        return "request.ssh-key"
    return _inside(kind, parts[1:])


def _parts(blob: bytes) -> list[bytes] | None:
    """The strings of the blob; None where lengths and bytes disagree, or nothing is there."""
    found: list[bytes] = []
    at = 0
    while at + 4 <= len(blob):
        length = int.from_bytes(blob[at : at + 4], "big")
        found.append(blob[at + 4 : at + 4 + length])
        at += 4 + length
    return found if found and at == len(blob) else None


def _inside(kind: str, parts: list[bytes]) -> str | None:
    match kind, parts:
        case "ssh-ed25519", [point] if len(point) == 32:
            return None
        case "ssh-rsa", [exponent, modulus] if exponent:
            bits = int.from_bytes(modulus, "big").bit_length()
            return None if bits >= LEAST_RSA_BITS else "request.ssh-key-short"
        case _, [curve, point] if kind in _CURVES:
            name, length = _CURVES[kind]
            if curve == name and len(point) == length and point[0] == 4:
                return None
    return "request.ssh-key"
