"""Schema v1 of `kind: VMRequest`: what may stand where, field by field.

What concerns several fields stands in `meaning`. Bounds say what one workload may reasonably
want, not what a site has: that is for quota and placement.
"""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from cloudpemda.document.fields import (
    Day,
    Email,
    ImageName,
    JsonSchema,
    Line,
    Name,
    Nip,
    Size,
    Strict,
    sized,
)
from cloudpemda.request import roles, ssh
from cloudpemda.request.spec import ADOPTED
from cloudpemda.units import MiB

_GIB = 1024
_TIB = 1024 * _GIB


def _ssh_key(text: str) -> str:
    line = text.strip()
    code = ssh.fault_of(line)
    if code is not None:
        # The text is not repeated: it may hold what its owner must not show.
        raise PydanticCustomError(code, "", {"types": ", ".join(ssh.TYPES)})
    return line


SshKey = Annotated[str, AfterValidator(_ssh_key)]


class _Model(Strict):
    unknown_key_code: ClassVar[str] = "request.unknown-key"


class LetterModel(_Model):
    """The request letter (surat permohonan) that this document carries out."""

    number: Line
    date: Day


class RequesterModel(_Model):
    """The responsible person (penanggung jawab)."""

    name: Line
    nip: Nip
    position: Line
    email: Email


class Metadata(_Model):
    name: Name = Field(description="Unique within the OPD; a further one makes a new revision.")
    opd: Name
    letter: LetterModel
    requester: RequesterModel


class DiskModel(_Model):
    name: Name = Field(description="`root` is the system disk; every VM has one.")
    size: Annotated[Size, sized(MiB(_GIB), MiB(16 * _TIB))]
    class_: Name = Field(alias="class", description="Storage class of the site, e.g. ssd.")
    protect: bool = Field(default=True, description="false: left out of backup and replication.")


class NicModel(_Model):
    name: Name = Field(description="One of the OPD's networks.")
    public_ip: bool = False


class ExposeModel(_Model):
    """One port that others may reach."""

    port: Annotated[int, Field(ge=1, le=65535)]
    protocol: Literal["tcp", "udp"] = "tcp"
    from_: Literal["opd", "pemda", "internet"] = Field(
        alias="from", description="Whose networks: the OPD's, the whole regency's, everybody's."
    )


def _name_of(pattern: str, code: str, most: int) -> object:
    def read(text: str) -> str:
        if len(text) > most or re.fullmatch(pattern, text) is None:
            raise PydanticCustomError(code, "", {"value": text})
        return text

    return AfterValidator(read)


class PostgresqlModel(_Model):
    """Settings of the role `postgresql`."""

    database: Annotated[
        str,
        _name_of(roles.DATABASE, "request.database-name", 31),
        WithJsonSchema({"type": "string", "pattern": f"^{roles.DATABASE}$"}),
    ] = Field(description="A database and its owner of this name are made.")


class NginxModel(_Model):
    """Settings of the role `nginx`."""

    server_name: (
        Annotated[
            str,
            _name_of(roles.HOST, "request.host-name", roles.LONGEST_HOST),
            WithJsonSchema({"type": "string", "pattern": f"^{roles.HOST}$"}),
        ]
        | None
    ) = Field(default=None, description="The DNS name that it answers to; absent: any.")
    proxy_port: Annotated[int, Field(ge=1024, le=65535)] | None = Field(
        default=None, description="Port of a program on the VM that answers in place of files."
    )


class VmModel(_Model):
    """One kind of VM, `count` times; cpu and memory, or a flavor of the catalogue."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["flavor"], "properties": {"cpu": False, "memory": False}},
                {"required": ["cpu", "memory"], "properties": {"flavor": False}},
            ],
            "if": {"properties": {"image": {"not": {"const": ADOPTED}}}},
            "then": {"required": ["sshKeys"], "properties": {"sshKeys": {"minItems": 1}}},
        }
    )

    name: Name
    count: Annotated[int, Field(ge=1, le=50)] = 1
    keep_apart: bool = Field(default=False, description="Each on another node.")
    image: ImageName
    flavor: Name | None = None
    cpu: Annotated[int, Field(ge=1, le=128)] | None = None
    memory: Annotated[Size, sized(MiB(512), MiB(_TIB))] | None = None
    disks: Annotated[tuple[DiskModel, ...], Field(min_length=1, max_length=16)]
    networks: Annotated[tuple[NicModel, ...], Field(min_length=1, max_length=8)]
    ssh_keys: Annotated[tuple[SshKey, ...], Field(max_length=20)] = ()
    expose: Annotated[tuple[ExposeModel, ...], Field(max_length=50)] | None = Field(
        default=None, description="What may be reached; with it, nothing else. SSH is port 22."
    )
    roles: Annotated[tuple[Literal["nginx", "postgresql"], ...], Field(max_length=10)] = Field(
        default=(), description="What Diskominfo sets up inside the VM."
    )
    postgresql: PostgresqlModel | None = None
    nginx: NginxModel | None = None


class Spec(_Model):
    purpose: Line
    service_class: Name
    until: Day
    vms: Annotated[tuple[VmModel, ...], Field(min_length=1, max_length=20)]


class VmRequest(_Model):
    """A request for VMs, as an OPD writes it."""

    api_version: Literal["cloudpemda/v1"]
    kind: Literal["VMRequest"]
    metadata: Metadata
    spec: Spec


def json_schema() -> JsonSchema:
    """JSON Schema (draft 2020-12) of a request, for editors; what it cannot say `check` does."""
    schema = VmRequest.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
