"""HTTPS to one cluster or backup server: endpoints in turn, trust, deadlines, retries, redaction,
our own log.

proxmoxer's HTTPS backend makes the sessions (token header, accepted types); its resource objects
are left aside, since they log form data and take any attribute as a path.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import requests
import structlog
from proxmoxer.backends.https import Backend
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError

from cloudpemda.clock import Clock, stopwatch
from cloudpemda.errors import Fault, InvalidInput, UsageError
from cloudpemda.proxmox.errors import (
    AnswerLost,
    BadAnswer,
    Busy,
    NoAnswer,
    PveError,
    Untrusted,
    bounded,
    classify,
    make,
)
from cloudpemda.proxmox.paths import fill

Method = Literal["GET", "POST", "PUT", "DELETE"]
Service = Literal["PVE", "PBS"]

CONNECT_SECONDS = 5.0
READ_SECONDS = 35.0  # PVE itself gives a proxied call 30 s: its own answer must come first
CALL_SECONDS = 90.0  # no new attempt of a safe call begins after this
CONNECTIONS = 16  # per endpoint; further threads wait for a free one

_log = structlog.wrap_logger(
    logging.getLogger("cloudpemda.proxmox"),
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.processors.KeyValueRenderer(key_order=["event"]),
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)


@dataclass(frozen=True, slots=True)
class Trust:
    """How the cluster proves itself: a CA file, a SHA-256 fingerprint, else the public CAs."""

    ca: Path | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One safe call and its answer as it came, whatever it was."""

    path: str  # below `/api2/json`
    status: int
    reason: str
    body: object  # what JSON was answered; None for none


@dataclass(frozen=True, slots=True)
class _Call:
    method: Method
    template: str
    path: str
    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    raw: bool = False  # the answer is wanted as it came

    @property
    def write(self) -> bool:
        return self.method != "GET"


class _Unsent(Exception):
    """Certain that the server got nothing."""

    def __init__(self, text: str, *, untrusted: bool = False) -> None:
        super().__init__(text)
        self.untrusted = untrusted


class _Unanswered(Exception):
    """The request may have reached the server."""


class _Adapter(HTTPAdapter):
    def __init__(self, fingerprint: str | None) -> None:
        self._fingerprint = fingerprint
        super().__init__(pool_connections=1, pool_maxsize=CONNECTIONS, pool_block=True)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **options: object
    ) -> None:
        if self._fingerprint is not None:
            options["assert_fingerprint"] = self._fingerprint
        super().init_poolmanager(connections, maxsize, block, **options)


class Transport:
    """Calls to one cluster over its endpoints. Safe for many threads."""

    def __init__(
        self,
        cluster: str,
        endpoints: Sequence[str],
        token_id: str,
        secret: str,
        trust: Trust,
        clock: Clock,
        service: Service = "PVE",
    ) -> None:
        if not endpoints:
            raise ValueError(f"cluster {cluster} has no endpoint")
        self.cluster = cluster
        self._service = service
        self._secret = secret
        self._clock = clock
        self._endpoints = tuple(
            (url.rstrip("/"), _session(url, token_id, secret, trust, service)) for url in endpoints
        )
        self._first = 0  # the endpoint to begin with; a race costs one detour

    def __repr__(self) -> str:
        return f"Transport({self.cluster})"

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(url for url, _ in self._endpoints)

    def get(
        self, template: str, query: Mapping[str, str] | None = None, **parts: str | int
    ) -> object:
        """A safe call: next endpoint and retries where the error is temporary."""
        return self._safely(self._call("GET", template, query or {}, {}, parts))

    def exchange(
        self, template: str, query: Mapping[str, str] | None = None, **parts: str | int
    ) -> Exchange:
        """A safe call whose answer is not judged: a refusal is an answer too.

        Raises NoAnswer, Untrusted where none came, UnsafeName for what may not stand in a path.
        """
        call = _Call("GET", template, fill(template, parts), query or {}, {}, raw=True)
        answer = self._safely(call)
        assert isinstance(answer, Exchange)  # noqa: S101 - what a raw call is read as
        return answer

    def write(
        self,
        method: Literal["POST", "PUT"],
        template: str,
        form: Mapping[str, str] | None = None,
        **parts: str | int,
    ) -> object:
        """A write. Raises AnswerLost when it was sent and no answer came."""
        return self._anywhere(self._call(method, template, {}, form or {}, parts), stopwatch())

    def delete(
        self, template: str, query: Mapping[str, str] | None = None, **parts: str | int
    ) -> object:
        """A write whose parameters go into the query: PVE refuses a DELETE with a body."""
        return self._anywhere(self._call("DELETE", template, query or {}, {}, parts), stopwatch())

    def get_from(self, endpoint: str, template: str) -> object:
        """A safe call to this endpoint alone, once: what doctor asks of each."""
        call = self._call("GET", template, {}, {}, {})
        for url, session in self._endpoints:
            if url == endpoint.rstrip("/"):
                try:
                    return self._once(url, session, call)
                except (_Unsent, _Unanswered) as failed:
                    raise self._unreachable(call, [failed]) from None
        raise ValueError(f"{endpoint} is no endpoint of {self.cluster}")

    def bad_answer(self, where: str, found: object) -> BadAnswer:
        """The error for an answer that is not what the API documents."""
        shown = bounded(self._redacted(repr(found)))[:80]
        return BadAnswer("pve.answer", cluster=self.cluster, where=where, text=shown)

    def values(self, method: str, path: str) -> dict[str, object]:
        """What every error of this cluster says about its call."""
        return {"cluster": self.cluster, "method": method, "path": path}

    def _call(
        self,
        method: Method,
        template: str,
        query: Mapping[str, str],
        form: Mapping[str, str],
        parts: dict[str, str | int],
    ) -> _Call:
        return _Call(method, template, fill(template, parts), query, form)

    def _safely(self, call: _Call) -> object:
        begun = stopwatch()

        def enough(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome is not None else None
            most = 2 if isinstance(error, NoAnswer) else 3
            return state.attempt_number >= most or stopwatch() - begun > CALL_SECONDS

        retrying = Retrying(
            retry=retry_if_exception_type((Busy, NoAnswer)),
            stop=enough,
            wait=wait_exponential(multiplier=0.5, max=2),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return retrying(self._anywhere, call, begun)

    def _anywhere(self, call: _Call, begun: float) -> object:
        """The first endpoint that can be reached; for a safe call, the first that answers."""
        failures: list[_Unsent | _Unanswered] = []
        start = self._first
        for turn in range(len(self._endpoints)):
            index = (start + turn) % len(self._endpoints)
            if failures and stopwatch() - begun > CALL_SECONDS:
                break
            try:
                answer = self._once(*self._endpoints[index], call)
            except _Unsent as failed:
                failures.append(failed)
            except _Unanswered as failed:
                failures.append(failed)
                if call.write:
                    self._first = (index + 1) % len(self._endpoints)
                    break
            else:
                self._first = index
                return answer
        if call.write and isinstance(failures[-1], _Unanswered):
            raise self._lost(call, str(failures[-1]))
        raise self._unreachable(call, failures)

    def _once(self, url: str, session: requests.Session, call: _Call) -> object:
        begun = stopwatch()
        status = 0
        failure: _Unsent | _Unanswered | None = None
        try:
            response = session.request(
                call.method,
                f"{url}/api2/json{call.path}",
                params=dict(call.query),
                data=dict(call.form),
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
            status = response.status_code
        except requests.exceptions.RequestException as error:
            failure = self._failure(error)
        finally:
            _log.debug(
                "pve",
                cluster=self.cluster,
                endpoint=url,
                method=call.method,
                path=call.template,
                status=status,
                ms=round((stopwatch() - begun) * 1000),
            )
        if failure is not None:
            # Raised here and not above: as its context the error of `requests` would carry the
            # request along, and with it the token.
            raise failure
        return self._read(response, call)

    def _failure(self, error: requests.exceptions.RequestException) -> _Unsent | _Unanswered:
        text = bounded(self._redacted(str(error)))
        if isinstance(error, requests.exceptions.SSLError):
            if "certificate" in text.lower() or "fingerprint" in text.lower():
                return _Unsent(text, untrusted=True)
            return _Unanswered(text)
        reason = error.args[0] if error.args else None
        if isinstance(reason, MaxRetryError):
            reason = reason.reason
        if isinstance(reason, NewConnectionError | ConnectTimeoutError):
            return _Unsent(text)
        return _Unanswered(text)

    def _read(self, response: requests.Response, call: _Call) -> object:
        try:
            body = json.loads(response.content)
        except ValueError:
            body = None
        if call.raw:
            return Exchange(call.path, response.status_code, response.reason or "", body)
        if response.status_code < 300 and isinstance(body, dict) and "data" in body:
            return body["data"]
        if response.status_code < 400:
            if call.write:
                raise self._lost(call, "the answer is no JSON object with data")
            raise self.bad_answer(call.path, response.content[:400])
        raise self._refusal(response, body, call)

    def _refusal(self, response: requests.Response, body: object, call: _Call) -> PveError:
        """What the server says against the call, as an error with our code."""
        status, text = response.status_code, response.reason or ""
        errors: dict[str, str] = {}
        if self._service == "PBS":  # says in plain text what PVE says in its reason phrase
            text = bounded(response.text) or text
            status = 500 if status == 400 else status  # and 400 of whatever it refuses
        if isinstance(body, dict):
            if isinstance(body.get("message"), str) and body["message"].strip():
                text = body["message"]
            if isinstance(body.get("errors"), dict):
                errors = {
                    bounded(str(name)): bounded(self._redacted(str(why)))
                    for name, why in body["errors"].items()
                }
        return classify(
            status,
            self._redacted(text),
            errors,
            write=call.write,
            **self.values(call.method, call.path),
        )

    def _lost(self, call: _Call, text: str) -> PveError:
        return make(AnswerLost, **self.values(call.method, call.path), text=text)

    def _unreachable(self, call: _Call, failures: Sequence[_Unsent | _Unanswered]) -> PveError:
        untrusted = any(isinstance(failed, _Unsent) and failed.untrusted for failed in failures)
        return make(
            Untrusted if untrusted else NoAnswer,
            **self.values(call.method, call.path),
            text=bounded("; ".join(str(failed) for failed in failures)),
        )

    def _redacted(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text


def _session(
    url: str, token_id: str, secret: str, trust: Trust, service: Service
) -> requests.Session:
    """A proxmoxer session for one endpoint that can do nothing but verified HTTPS.

    Raises UsageError `pve.endpoint` for any other URL, InvalidInput `pve.ca` without the CA file.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise UsageError("pve.endpoint", url=url)
    if trust.ca is not None and not trust.ca.is_file():
        raise InvalidInput([Fault("pve.ca", {"file": str(trust.ca)}, file=str(trust.ca))])
    user, _, token = token_id.partition("!")
    verify: str | bool = True if trust.ca is None else str(trust.ca)
    if trust.fingerprint is not None:
        verify = False  # the fingerprint is the check: urllib3 refuses any other certificate
    backend = Backend(
        parts.netloc.rpartition("@")[2],
        user=user,
        token_name=token,
        token_value=secret,
        verify_ssl=verify,
        timeout=READ_SECONDS,
        service=service,
    )
    session: requests.Session = backend.get_session()
    session.trust_env = False  # neither proxies nor .netrc of whoever runs this
    session.adapters.pop("http://")
    session.mount("https://", _Adapter(trust.fingerprint))
    return session
