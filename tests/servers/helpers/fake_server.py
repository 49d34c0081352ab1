"""A scripted server of OpenAI's protocol, over real sockets: what it honours and how it fails is said.

Its model is a table of random numbers, so that seeds, temperatures and filters do what they say.
"""

from __future__ import annotations

import json
import math
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["KNOWN", "VOCABULARY", "FakeServer", "Fault", "serving"]

EOS = 0
VOCABULARY = (
    "",
    "def",
    " add",
    "(a",
    ", b",
    "):",
    "\n    ",
    "return",
    " a",
    " +",
    " b",
    "\n",
    "é",
    "日本",
    " x",
    "0",
)
KNOWN = frozenset(
    {
        *("model", "prompt", "messages", "max_tokens", "temperature", "top_p", "top_k", "min_p"),
        *("repetition_penalty", "frequency_penalty", "logit_bias", "n", "seed", "stop", "logprobs"),
        *("top_logprobs", "return_token_ids", "continue_final_message", "add_generation_prompt"),
    }
)


@dataclass
class Fault:
    """What goes wrong with one request.

    Attributes:
        kind: "status", "reset" (the connection breaks in mid-answer), "truncated" (a whole answer that holds
            half of one), "slow", or "empty" (no choices).
        status, headers, body: Of a status.
        seconds: Of a slow one.
        prompt: The one text that it strikes, whenever that comes; by default whatever comes next.
    """

    kind: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = field(default_factory=lambda: {"error": {"message": "no luck"}})
    seconds: float = 0.0
    prompt: str | None = None


@dataclass
class FakeServer:
    """What a server does.

    Attributes:
        honours: Fields that have an effect; of the others that it knows, nothing comes.
        strict: Whether it refuses fields that it does not know, with status 422.
        knows: Fields that it knows.
        apis: Endpoints that it has.
        one_stream: Whether requests under way share one random stream.
        processed: Whether log-probabilities are those of the distribution drawn from.
        names_stops: Whether it says which stop ended a text; trims: whether it cuts it off.
        equal_choices: Whether the choices of one request are one.
        reasoning: What a chat answer begins with that is kept apart, in tokens of "(thinking)"; below 0,
            all of a short answer is.
        limits: Whether it draws no more tokens than it is told to.
        shut_after: How many requests it answers before it waits for `gate`.
        shut_to: The prompt whose requests wait for `gate`, whenever they come.
        faults: What goes wrong with the next requests that draw, one for each; None leaves one alone.
        key: What it opens to, where it is shut.
        most_stops: How many stop strings it takes.
        cost: Price of a token.
        end: Why a text ended, in place of what it really was.
        llama: Whether it is as llama.cpp's: its repetition penalty has another name and looks at the last 64
            tokens unless told otherwise; which stop it found it says beside the choices, where it is asked;
            and it leaves as many log-probabilities off as that stop has tokens by itself.
    """

    honours: frozenset[str] = KNOWN
    strict: bool = False
    knows: frozenset[str] = KNOWN
    apis: tuple[str, ...] = ("chat", "completions")
    one_stream: bool = False
    processed: bool = False
    names_stops: bool = True
    trims: bool = True
    equal_choices: bool = False
    reasoning: int = 0
    limits: bool = True
    faults: list[Fault | None] = field(default_factory=list)
    key: str | None = None
    most_stops: int = 100
    cost: float | None = None
    end: str | None = None
    llama: bool = False
    models: tuple[str, ...] = ("model",)
    delay: float = 0.0
    shut_after: int | None = None
    shut_to: str | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self._lock, self._under_way, self._stream = threading.Lock(), 0, random.Random(0)
        self.gate = threading.Event()

    def _fault(self, prompt: object) -> Fault | None:
        for number, fault in enumerate(self.faults):
            if fault is None or fault.prompt in (None, prompt):
                return self.faults.pop(number)
        return None

    # what is asked

    def answer(
        self, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> tuple[int, Any, Fault | None]:
        with self._lock:
            self.requests.append(body)
            number = len(self.requests)
            self.headers.append(headers)
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            fault = self._fault(body.get("prompt"))
            others = self._under_way > 1
        try:
            if self.delay:
                time.sleep(self.delay)
            late = self.shut_after is not None and number > self.shut_after
            if late or (self.shut_to is not None and body.get("prompt") == self.shut_to):
                self.gate.wait(60)
            if fault is not None and fault.kind == "status":
                return fault.status, fault.body, fault
            status, content = self._answered(path, body, headers, others)
            return status, content, fault
        finally:
            with self._lock:
                self._under_way -= 1

    def _answered(
        self, path: str, body: dict[str, Any], headers: dict[str, str], others: bool
    ) -> tuple[int, Any]:
        if self.key is not None and headers.get("authorization") != f"Bearer {self.key}":
            said = f"Incorrect API key provided: {headers.get('authorization')}"
            return 401, {"error": {"message": said}}
        api = "chat" if path.endswith("/v1/chat/completions") else "completions"
        if api not in self.apis or not path.endswith("completions"):
            return 404, {"detail": "Not Found"}
        if body["model"] not in self.models:
            return 404, {"error": {"message": f"The model {body['model']} does not exist"}}
        unknown = sorted(body.keys() - self.knows)
        if unknown and self.strict:
            return 422, {
                "detail": [{"type": "extra_forbidden", "loc": ["body", unknown[0]], "msg": "Extra inputs"}]
            }
        if len(body.get("stop") or ()) > self.most_stops:
            return 400, {"error": {"message": "too many", "param": "stop"}}
        if not isinstance(body.get("temperature", 1.0), int | float):
            return 400, {"error": {"message": "temperature: no number", "param": "temperature"}}
        heeded = {name: value for name, value in self._translated(body).items() if name in self._heeded}
        content = self._drawn(api, heeded, others)
        words = [each.pop("stopping_word", "") for each in content["choices"]]
        if self.llama and body.get("verbose"):
            content["__verbose"] = {"stopping_word": words[0]}
        return 200, content

    @property
    def _heeded(self) -> frozenset[str]:
        return self.honours | {"model", "prompt", "messages", "max_tokens"}

    def _translated(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the fields by the names that the others know, for a server that has names of its own."""
        if not self.llama:
            return body
        found = {name: value for name, value in body.items() if name != "repetition_penalty"}
        if body.get("repeat_last_n", 64) >= 1024:
            found["repetition_penalty"] = body.get("repeat_penalty", 1.0)
        return found

    # what is drawn

    def _drawn(self, api: str, body: dict[str, Any], others: bool) -> dict[str, Any]:
        prompt = body.get("prompt") if api == "completions" else json.dumps(body["messages"])
        choices, drawn = [], 0
        for number in range(body.get("n", 1)):
            choice, count = self._choice(api, str(prompt), body, number, others)
            choices.append({**choice, "index": number})
            drawn += count
        # out of their order, as some servers send them
        content: dict[str, Any] = {"choices": choices[::-1]}
        turn = 0 if body.get("continue_final_message") else 4
        content["usage"] = {"prompt_tokens": len(str(prompt).split()) + turn, "completion_tokens": drawn}
        if self.cost is not None:
            content["usage"]["cost"] = self.cost * drawn
        return content

    def _choice(
        self, api: str, prompt: str, body: dict[str, Any], number: int, others: bool
    ) -> tuple[Any, int]:
        tokens, raw, processed, tops = self._tokens(prompt, body, number, others)
        text, end, stop = self._ended("".join(VOCABULARY[token] for token in tokens), tokens, body)
        choice: dict[str, Any] = {"finish_reason": self.end or end}
        if stop is not None and self.names_stops:
            choice["stopping_word" if self.llama else "stop_reason"] = stop
        thought = ["(thinking)"] * (self.reasoning if api == "chat" else 0)
        if api == "completions":
            choice["text"] = text
        else:
            choice["message"] = {"role": "assistant", "content": text}
            if self.reasoning < 0 and len(tokens) >= body["max_tokens"]:
                choice["message"] = {"role": "assistant", "content": None, "reasoning": text}
            if thought:
                choice["message"]["reasoning_content"] = "".join(thought)
        told = processed if self.processed else raw
        if body.get("logprobs"):
            left = len(tokens) - (_own_tokens(stop) if self.llama and stop else 0)
            choice["logprobs"] = _logprobs(api, thought, tokens[:left], told[:left], tops[:left])
            if body.get("return_token_ids") and not thought:
                choice["token_ids"] = tokens
        return choice, len(tokens) + len(thought)

    def _tokens(self, prompt: str, body: dict[str, Any], number: int, others: bool) -> Any:
        # children of one request draw from its seed's neighbours
        seed = body.get("seed")
        shift = 0 if self.equal_choices else number
        stream = (
            random.Random(f"{prompt}/{None if seed is None else seed + shift}")
            if seed is not None
            else self._stream
        )
        if self.one_stream and others:
            stream = self._stream
        tokens: list[int] = []
        raw: list[float] = []
        processed: list[float] = []
        tops: list[float] = []
        before = ""
        limit = body["max_tokens"] if self.limits else 40
        while len(tokens) < limit and (not tokens or tokens[-1] != EOS):
            own = _logits(prompt, len(tokens), tokens, body)
            drawn_from = _filtered(own, body)
            token = stream.choices(range(len(own)), [math.exp(each) for each in drawn_from])[0]
            plain, changed = _normal(_logits(prompt, len(tokens), tokens, {})), _normal(drawn_from)
            tokens.append(token)
            raw.append(plain[token])
            processed.append(changed[token])
            tops.append(max(changed if self.processed else plain))
            before += VOCABULARY[token]
            if any(stop in before for stop in body.get("stop") or ()):
                break
        return tokens, raw, processed, tops

    def _ended(self, text: str, tokens: Sequence[int], body: dict[str, Any]) -> tuple[str, str, str | None]:
        found = [(text.find(stop), stop) for stop in body.get("stop") or () if stop in text]
        if found:
            at, stop = min(found)
            return (text[:at] if self.trims else text), "stop", stop
        return text, "stop" if tokens and tokens[-1] == EOS else "length", None


def _own_tokens(stop: str) -> int:
    """Return how many tokens a stop has by itself: the longest ones first."""
    count = 0
    while stop:
        begins = [len(each) for each in VOCABULARY if each and stop.startswith(each)]
        stop = stop[max(begins, default=1) :]
        count += 1
    return count


def _logits(prompt: str, position: int, tokens: Sequence[int], body: dict[str, Any]) -> list[float]:
    stream = random.Random(f"{prompt}#{position}")
    logits = [stream.gauss(0, 1.5) for _ in VOCABULARY]
    logits[EOS] -= 3.0
    if "la la" in prompt or "word la" in prompt:
        logits[1] += 6.0
    for token, count in Counter(tokens).items():
        logits[token] -= body.get("frequency_penalty", 0.0) * count
        penalty = body.get("repetition_penalty", 1.0)
        logits[token] = logits[token] / penalty if logits[token] > 0 else logits[token] * penalty
    for token, amount in (body.get("logit_bias") or {}).items():
        logits[int(token)] += amount
    return logits


def _filtered(logits: list[float], body: dict[str, Any]) -> list[float]:
    temperature = body.get("temperature", 1.0)
    best = max(logits)
    if temperature == 0:
        return [0.0 if each == best else -math.inf for each in logits]
    logits = _normal([each / temperature for each in logits])
    ranked = sorted(logits, reverse=True)
    keep = body.get("top_k", -1)
    least = ranked[keep - 1] if keep > 0 else -math.inf
    total, nucleus = 0.0, -math.inf
    for each in ranked:
        nucleus = each
        total += math.exp(each)
        if total >= body.get("top_p", 1.0):
            break
    floor = max(logits) + math.log(max(body.get("min_p", 0.0), 1e-300))
    least = max(least, nucleus if body.get("top_p", 1.0) < 1 else -math.inf, floor)
    return [each if each >= least else -math.inf for each in logits]


def _normal(logits: list[float]) -> list[float]:
    best = max(logits)
    total = best + math.log(sum(math.exp(each - best) for each in logits))
    return [each - total for each in logits]


def _logprobs(
    api: str, thought: list[str], tokens: Sequence[int], told: list[float], tops: list[float]
) -> Any:
    texts = [*thought, *(VOCABULARY[token] or "<eos>" for token in tokens)]
    told, tops = [-0.1] * len(thought) + told, [-0.1] * len(thought) + tops
    if api == "completions":
        return {"tokens": texts, "token_logprobs": told, "top_logprobs": [{"?": top} for top in tops]}
    return {
        "content": [
            {
                "token": text,
                "bytes": None if text == "<eos>" else list(text.encode()),
                "logprob": one,
                "top_logprobs": [{"token": "?", "logprob": top}],
            }
            for text, one, top in zip(texts, told, tops, strict=True)
        ]
    }


@contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    """Run a server on a port of this machine, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            # acknowledgements that are held back would cost 45 ms for each request
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def do_GET(self) -> None:
            owner = "llamacpp" if server.llama else "fake"
            self._send(200, {"data": [{"id": each, "owned_by": owner} for each in server.models]}, None)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(*server.answer(self.path, body, headers))

        def _send(self, status: int, content: Any, fault: Fault | None) -> None:
            kind = "" if fault is None else fault.kind
            if kind == "slow":
                time.sleep(fault.seconds if fault else 0.0)
            if kind == "empty":
                content = {"id": "x"}
            raw = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            if kind == "truncated":
                raw = raw[: len(raw) // 2]
            self.send_response(status)
            for name, value in ({} if fault is None else fault.headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            if kind == "reset":
                self.wfile.write(raw[: len(raw) // 2])
                self.wfile.flush()
                # an abrupt end: RST in place of FIN
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, ValueError):
                self.close_connection = True

        def finish(self) -> None:
            with suppress(ConnectionError, ValueError):
                super().finish()

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
