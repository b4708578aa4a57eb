"""The way to a cluster: trust, failover, lost answers, retries, and nothing secret anywhere."""

import io
import json
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudpemda.errors import InvalidInput, UsageError
from cloudpemda.proxmox import (
    AnswerLost,
    AuthFailed,
    BadAnswer,
    Busy,
    Exists,
    NoAnswer,
    NodeOffline,
    NotFound,
    OtherError,
    PveError,
    Trust,
    UnsafeName,
    Untrusted,
    WrongParameter,
)
from cloudpemda.proxmox.paths import fill
from cloudpemda.proxmox.transport import Transport
from tests.proxmox.clocks import VirtualClock
from tests.proxmox.servers import Answer, Asked, Server, serving

SECRET = "11112222-3333-4444-5555-666677778888"
TOKEN = "cloudpemda@pve!apply"

Serve = Callable[[Callable[[Asked], Answer]], Server]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(answer: Callable[[Asked], Answer]) -> Server:
            folder = tmp_path / f"server{len(list(tmp_path.iterdir()))}"
            return stack.enter_context(serving(folder, answer))

        yield start


def data(value: object) -> Answer:
    return Answer(body=json.dumps({"data": value}).encode())


def failing(status: int, message: str, **more: object) -> Answer:
    body = json.dumps({"data": None, "message": message + "\n", **more}).encode()
    return Answer(status, body, message.splitlines()[0])


def transport(
    *servers: Server, trust: Trust | None = None, clock: VirtualClock | None = None
) -> Transport:
    """A transport that trusts its servers by fingerprint of the first, unless told otherwise."""
    trusted = trust or Trust(fingerprint=servers[0].fingerprint)
    urls = [server.url for server in servers]
    return Transport("dc", urls, TOKEN, SECRET, trusted, clock or VirtualClock())


@pytest.fixture
def dead_endpoint() -> Iterator[Callable[[], str]]:
    """Loopback ports where nobody listens: they are held, so that nobody else is given them."""
    with ExitStack() as stack:

        def hold() -> str:
            held = stack.enter_context(socket.socket())
            held.bind(("127.0.0.1", 0))
            return f"https://127.0.0.1:{held.getsockname()[1]}"

        yield hold


# -- trust -----------------------------------------------------------------------------------


def test_the_pinned_fingerprint_is_enough(serve: Serve) -> None:
    server = serve(lambda _: data({"version": "9.2.11"}))
    assert transport(server).get("/version") == {"version": "9.2.11"}
    assert server.asked[0].authorization == f"PVEAPIToken={TOKEN}={SECRET}"


def test_the_ca_file_is_enough(serve: Serve) -> None:
    server = serve(lambda _: data([1]))
    assert transport(server, trust=Trust(ca=server.ca)).get("/nodes") == [1]


@pytest.mark.parametrize("trust", [Trust(fingerprint="00:" * 31 + "00"), Trust()])
def test_an_unproven_server_gets_no_request(serve: Serve, trust: Trust) -> None:
    server = serve(lambda _: data(None))
    found = transport(server, trust=trust)
    with pytest.raises(Untrusted) as read:
        found.get("/version")
    with pytest.raises(Untrusted) as written:
        found.write("POST", "/pools", {"poolid": "x"})
    assert read.value.code == written.value.code == "pve.tls"
    assert server.asked == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://", "pve1", "https://h:1/x"])
def test_only_https_endpoints_are_taken(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Transport("dc", [url], TOKEN, SECRET, Trust(), VirtualClock())
    assert caught.value.code == "pve.endpoint"


def test_a_ca_file_that_is_not_there_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        Transport(
            "dc", ["https://h:1"], TOKEN, SECRET, Trust(ca=tmp_path / "ca.pem"), VirtualClock()
        )
    assert caught.value.code == "pve.ca"


def test_a_ca_file_that_holds_no_certificate_proves_nobody(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda _: data(None))
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    with pytest.raises(Untrusted):
        transport(server, trust=Trust(ca=tmp_path / "ca.pem")).get("/version")
    assert server.asked == []


def test_a_proxy_of_the_environment_is_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda _: data("direct"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert transport(server).get("/version") == "direct"


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    server = serve(lambda _: Answer(301, b"", "Moved", location="/api2/json/elsewhere"))
    with pytest.raises(BadAnswer):
        transport(server).get("/version")
    assert len(server.asked) == 1


# -- failover --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_call_goes_on_to_the_next_endpoint_while_nothing_was_sent(
    serve: Serve, dead_endpoint: Callable[[], str], method: str
) -> None:
    server = serve(lambda _: data("done"))
    trust = Trust(fingerprint=server.fingerprint)
    urls = [dead_endpoint(), server.url]
    found = Transport("dc", urls, TOKEN, SECRET, trust, VirtualClock())
    answers = {
        "GET": lambda: found.get("/version"),
        "POST": lambda: found.write("POST", "/pools", {"poolid": "opd"}),
        "DELETE": lambda: found.delete("/pools", {"poolid": "opd"}),
    }
    assert answers[method]() == "done"
    assert [asked.method for asked in server.asked] == [method]


def test_the_endpoint_that_answered_is_asked_first_next_time(serve: Serve) -> None:
    working = serve(lambda _: data(1))
    cutting = serve(lambda _: Answer(cut=True))
    found = transport(cutting, working, trust=_both(cutting, working))
    assert [found.get("/nodes") for _ in range(3)] == [1, 1, 1]
    assert len(cutting.asked) == 1


def test_a_lost_answer_of_a_safe_call_is_asked_of_the_next_endpoint(serve: Serve) -> None:
    cutting, working = serve(lambda _: Answer(cut=True)), serve(lambda _: data("there"))
    assert transport(cutting, working, trust=_both(cutting, working)).get("/nodes") == "there"


@pytest.mark.parametrize(
    "lost",
    [Answer(cut=True), Answer(body=b"<html>"), Answer(body=b"[]"), Answer(596, b"", "timeout")],
)
def test_a_write_whose_answer_is_lost_is_never_sent_again(serve: Serve, lost: Answer) -> None:
    first, second = serve(lambda _: lost), serve(lambda _: data(None))
    clock = VirtualClock()
    with pytest.raises(AnswerLost) as caught:
        transport(first, second, trust=_both(first, second), clock=clock).write(
            "POST", "/nodes/{node}/qemu", {"vmid": "10001"}, node="pve1"
        )
    assert caught.value.values["path"] == "/nodes/pve1/qemu"
    assert not caught.value.temporary
    assert (len(first.asked), len(second.asked), clock.slept) == (1, 0, [])


def test_nobody_there_is_said_with_every_reason(dead_endpoint: Callable[[], str]) -> None:
    clock = VirtualClock()
    found = Transport("dc", [dead_endpoint(), dead_endpoint()], TOKEN, SECRET, Trust(), clock)
    with pytest.raises(NoAnswer) as caught:
        found.get("/version")
    assert caught.value.temporary
    assert str(caught.value.values["text"]).count("refused") == 2
    assert len(clock.slept) == 1  # tried once more, after a pause on the site's clock


def test_an_answer_that_does_not_come_ends_at_the_deadline(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudpemda.proxmox.transport.READ_SECONDS", 0.2)
    never = Event()
    hanging, working = serve(lambda _: Answer(hang=never)), serve(lambda _: data("there"))
    found = transport(hanging, working, trust=_both(hanging, working))
    with pytest.raises(AnswerLost):
        found.write("POST", "/pools", {"poolid": "x"})
    monkeypatch.undo()  # an answer that does come may take its time
    assert found.get("/version") == "there"
    never.set()


def _both(*servers: Server) -> Trust:
    """One CA file with the certificates of several servers."""
    bundle = servers[0].ca.parent / "bundle.pem"
    bundle.write_text("".join(server.ca.read_text() for server in servers))
    return Trust(ca=bundle)


# -- retries and errors ----------------------------------------------------------------------


def test_a_safe_call_is_tried_again_while_the_server_is_busy(serve: Serve) -> None:
    answers = iter([failing(500, "got timeout"), Answer(503, b"", "busy"), data("at last")])
    server, clock = serve(lambda _: next(answers)), VirtualClock()
    assert transport(server, clock=clock).get("/cluster/resources") == "at last"
    assert len(clock.slept) == 2


def test_retrying_ends(serve: Serve) -> None:
    server = serve(lambda _: failing(500, "got timeout"))
    with pytest.raises(Busy):
        transport(server).get("/cluster/resources")
    assert len(server.asked) == 3


def test_a_refused_write_is_not_tried_again(serve: Serve) -> None:
    server = serve(lambda _: failing(500, "got timeout"))
    with pytest.raises(Busy):
        transport(server).write("POST", "/pools", {"poolid": "x"})
    assert len(server.asked) == 1


def test_a_node_that_is_not_reached_is_said_at_once(serve: Serve) -> None:
    server = serve(lambda _: Answer(595, b"", "No route to host"))
    with pytest.raises(NodeOffline):
        transport(server).get("/nodes/{node}/status", node="pve3")
    assert len(server.asked) == 1


def test_parameter_errors_keep_their_parameters(serve: Serve) -> None:
    wrong = {"vmid": "invalid format\n", "zone": "no"}
    server = serve(lambda _: failing(400, "Parameter verification failed.", errors=wrong))
    with pytest.raises(WrongParameter) as caught:
        transport(server).write("POST", "/pools")
    assert caught.value.errors == {"vmid": "invalid format", "zone": "no"}
    assert caught.value.values["text"] == "vmid: invalid format; zone: no"


def test_the_message_counts_not_only_its_first_line(serve: Serve) -> None:
    server = serve(lambda _: failing(500, "create ha rule failed: 400\nrule 'x' already exists"))
    with pytest.raises(Exists) as caught:
        transport(server).write("POST", "/cluster/ha/rules")
    assert "already exists" in str(caught.value.values["text"])


def test_text_from_outside_is_bounded_and_printable(serve: Serve) -> None:
    server = serve(lambda _: failing(500, "no \x1b[31mred\x1b[0m " + "x" * 5000))
    with pytest.raises(OtherError) as caught:
        transport(server).get("/version")
    text = str(caught.value.values["text"])
    assert len(text) <= 500
    assert text.isprintable()


@pytest.mark.parametrize("body", [b"", b"nonsense", b'"text"', b'{"error": 1}', b"\xff\xfe"])
def test_an_odd_answer_is_an_error_with_its_place(serve: Serve, body: bytes) -> None:
    server = serve(lambda _: Answer(body=body))
    with pytest.raises(BadAnswer) as caught:
        transport(server).get("/cluster/resources")
    assert caught.value.values["where"] == "/cluster/resources"


# -- paths -----------------------------------------------------------------------------------

_TEMPLATE = "/nodes/{node}/qemu/{vmid}/config"


@pytest.mark.parametrize(
    "hostile",
    ["", "..", "../access", "a/b", "a?x=1", "a#", "a%2f", "a b", "a\n", "ä", "-x", "a" * 300],
)
def test_a_hostile_name_never_becomes_a_path(hostile: str) -> None:
    with pytest.raises(UnsafeName):
        fill(_TEMPLATE, {"node": hostile, "vmid": 100})


@given(st.text(max_size=40))
def test_a_name_stays_one_segment(name: str) -> None:
    try:
        path = fill(_TEMPLATE, {"node": name, "vmid": 100})
    except UnsafeName:
        return
    assert path == f"/nodes/{name}/qemu/100/config"
    assert path.count("/") == 5
    assert not set("?#%\\") & set(path)


# -- secrets ---------------------------------------------------------------------------------


def test_nothing_secret_is_logged_or_raised_even_at_debug(
    serve: Serve, dead_endpoint: Callable[[], str]
) -> None:
    """Every kind of answer and failure, with all loggers at DEBUG; the token is nowhere."""
    stories: list[Answer] = [
        data({"ok": 1}),
        failing(500, f"Authorization was {SECRET}"),
        failing(400, "Parameter verification failed.", errors={"x": f"got {SECRET}"}),
        Answer(401, b"", "Authentication failed!"),
        Answer(body=SECRET.encode()),
        Answer(cut=True),
    ]
    told: list[Answer] = []
    server = serve(lambda _: told[-1])
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    loggers = [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in [logging.root, *loggers]]
    logging.root.addHandler(handler)
    errors: list[PveError] = []
    try:
        for logger, _ in levels:
            logger.setLevel(logging.DEBUG)
        subjects = [
            transport(server),
            transport(server, trust=Trust(fingerprint="00:" * 31 + "00")),
            Transport("dc", [dead_endpoint()], TOKEN, SECRET, Trust(), VirtualClock()),
        ]
        for story in stories:
            told.append(story)
            for subject in subjects:
                errors += _errors_of(subject)
                written.write(repr(subject))
    finally:
        logging.root.removeHandler(handler)
        for logger, level in levels:
            logger.setLevel(level)
    shown = "".join("".join(traceback.format_exception(error)) + repr(error) for error in errors)
    assert {type(error) for error in errors} >= {AuthFailed, AnswerLost, Untrusted, NoAnswer}
    assert "method='POST'" in written.getvalue()
    for text in (written.getvalue(), shown, *(_reachable(error) for error in errors)):
        assert SECRET not in text


def _errors_of(subject: Transport) -> list[PveError]:
    errors: list[PveError] = []
    calls: list[Callable[[], object]] = [
        lambda: subject.get("/version"),
        lambda: subject.get_from(subject.endpoints[0], "/version"),
        lambda: subject.write("POST", "/pools", {"poolid": "opd", "comment": "pw"}),
        lambda: subject.delete("/pools", {"poolid": "opd"}),
    ]
    for call in calls:
        try:
            call()
        except PveError as error:
            errors.append(error)
    return errors


def _reachable(error: BaseException) -> str:
    """The attributes and arguments of an error and of those it is chained to."""
    shown = []
    current: BaseException | None = error
    while current is not None:
        shown.append(repr((current.args, vars(current))))
        request = getattr(current, "request", None)
        shown.append(repr(getattr(request, "headers", "")))
        current = current.__cause__ or current.__context__
    return "".join(shown)


def test_our_log_says_what_was_called_and_how_long(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(lambda _: failing(500, "no such thing"))
    with caplog.at_level(logging.DEBUG, "cloudpemda.proxmox"), pytest.raises(NotFound):
        transport(server).get("/nodes/{node}/status", node="pve1")
    (record,) = [r for r in caplog.records if r.name == "cloudpemda.proxmox"]
    line = record.getMessage()
    assert "method='GET' path='/nodes/{node}/status' status=500 ms=" in line
