"""A document that is written for a specification means just that."""

import json
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.request import WorkloadSpec, read_any
from cloudpemda.request.spec import ADOPTED, DiskSpec, NicSpec, VmSpec
from cloudpemda.request.write import write
from cloudpemda.units import Cores, MiB
from tests.request.documents import valid
from tests.request.test_read import FLAVORS

NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
WORDS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40
).filter(lambda text: text == " ".join(text.split()) and text.isprintable())


def base() -> WorkloadSpec:
    spec = read_any(json.dumps(valid()).encode(), "valid", FLAVORS)
    assert isinstance(spec, WorkloadSpec)
    return spec


@st.composite
def adopted(draw: st.DrawFn) -> VmSpec:
    more = draw(st.sets(NAMES.filter(lambda name: name != "root"), max_size=3))
    sizes = st.integers(1024, 16 * 1024 * 1024).map(MiB)
    return VmSpec(
        name=draw(NAMES),
        count=draw(st.integers(1, 50)),
        keep_apart=draw(st.booleans()),
        image=ADOPTED,
        cpu=Cores(draw(st.integers(1, 128))),
        memory=MiB(draw(st.integers(512, 1024 * 1024))),
        disks=tuple(
            DiskSpec(name, draw(sizes), draw(NAMES), draw(st.booleans()))
            for name in ("root", *sorted(more))
        ),
        networks=tuple(
            NicSpec(name, draw(st.booleans()))
            for name in sorted(draw(st.sets(NAMES, min_size=1, max_size=4)))
        ),
        ssh_keys=(),
    )


def test_a_whole_request_comes_back() -> None:
    assert read_any(write(base()).encode(), "written", {}) == base()


@given(adopted(), WORDS, WORDS, st.dates(date(2027, 1, 1), date(2099, 12, 31)))
def test_adopted_vms_and_any_words_come_back(
    vm: VmSpec, purpose: str, person: str, until: date
) -> None:
    spec = replace(base(), purpose=purpose, until=until, vms=(vm,))
    spec = replace(spec, requester=replace(spec.requester, name=person))
    assert read_any(write(spec).encode(), "written", {}) == spec
