"""A run on disk: every result as soon as it is measured, so that a killed run can go on.

A folder holds ``run.json`` (what is to be measured) and ``sets/KEY.json`` (that a set is done, and
how long it took) with its result in ``sets/KEY``. A set's key is a digest of all that its numbers
depend on: the model's weights, the set's content, the settings, the package's source and the
versions of libraries. Processes that measure the same share the sets among them: each locks a file
in ``processes`` while it is at it, and ``claims/KEY`` while it measures a set. The system gives a
lock back when its process dies.
"""

import json
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from torch.nn import Module

from semantic_hub.errors import (
    NothingLeftError,
    SemanticHubError,
    SemanticHubWarning,
    is_file,
    reading,
)
from semantic_hub.experiment.findings import SPELLED_OUT, Findings, class_of
from semantic_hub.models.protocol import HookedModel
from semantic_hub.results.digest import content_digest
from semantic_hub.results.files import check_writable, to_json, write_atomically
from semantic_hub.results.result import Result, manifest

if TYPE_CHECKING:
    from filelock import FileLock

_PLAN, _SETS, _LOCK, _PROCESSES, _CLAIMS = "run.json", "sets", "lock", "processes", "claims"
TOP_TOKENS = "top tokens"
"""What is measured of prompts that a spoke spells out, as a `Step` names it."""

_AGAIN = "Remove it, to measure it again."
_PARTS = ("operation", "got", "expected", "fix")


@dataclass(frozen=True)
class Step:
    """One set that a run measures.

    Args:
        spoke: Name of the spoke.
        what: What is measured, such as ``"similarity"``.
        name: Name of the set.
        key: Digest of all that its numbers depend on.
    """

    spoke: str
    what: str
    name: str
    key: str


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Args:
        manifest: Of the run: its model and settings.
        seconds_of: Time that each measured set took.
        left: Sets that are not measured, in the order in which they will be.
        left_out: Spoke to the sets that will not be measured, and why.
    """

    manifest: Mapping[str, Any]
    seconds_of: Mapping[Step, float]
    left: tuple[Step, ...]
    left_out: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def done(self) -> tuple[Step, ...]:
        """Sets that are measured."""
        return tuple(self.seconds_of)

    @property
    def seconds_left(self) -> float | None:
        """Time that the others will take, if each takes as long as those of its kind on average.

        As all on average, where none of its kind is done; None before the first is done.
        """
        if not self.seconds_of:
            return None
        mean_of: dict[str, float] = {}
        for what in {step.what for step in self.left}:
            alike = [time for step, time in self.seconds_of.items() if step.what == what]
            times = alike or list(self.seconds_of.values())
            mean_of[what] = sum(times) / len(times)
        return sum((mean_of[step.what] for step in self.left), 0.0)

    def lines(self) -> list[str]:
        """What a person wants to know, a line each.

        Example:
            >>> manifest = {"model": {"name": "hub-mini"}}
            >>> RunStatus(manifest, {}, (Step("code", "lens", "lists", "0"),)).lines()
            ['hub-mini: 0 of 1 sets done in 0:00:00', 'left: code: lens, lists']
        """
        taken = timedelta(seconds=round(sum(self.seconds_of.values())))
        total = len(self.done) + len(self.left)
        name = self.manifest["model"]["name"]
        lines = [f"{name}: {len(self.done)} of {total} sets done in {taken}"]
        if self.left and self.seconds_left is not None:
            lines.append(f"about {timedelta(seconds=round(self.seconds_left))} left")
        return lines + [f"left: {step.spoke}: {step.what}, {step.name}" for step in self.left]


class RunFolder:
    """The folder of a run.

    Args:
        path: The folder; made if it does not exist.
        model: The model that is measured.

    Raises:
        SemanticHubError: A folder that cannot be written to.

    Example:
        >>> kept = RunFolder("runs/few", model)
        >>> kept.key("similarity", "dog") == kept.key("similarity", "dog")
        True
    """

    def __init__(self, path: str | Path, model: HookedModel) -> None:
        self.path = Path(path)
        for part in (_SETS, _PROCESSES, _CLAIMS):
            check_writable(self.path / part, "run")
        about = manifest(model)
        kind, _, _ = about["model"]["device"].partition(":")  # processes may have a GPU each
        about = {**about, "model": {**about["model"], "device": kind}}
        self._base = (about, model_digest(model), _source_digest())

    def key(self, *depends_on: Any) -> str:
        """Key of a result: a digest of the model, the package, and what else it depends on.

        Args:
            depends_on: The kind of measurement, the set's content and the settings.
        """
        return content_digest(self._base, depends_on)

    @contextmanager
    def measuring(
        self,
        steps: Sequence[Step],
        about: Mapping[str, Any],
        left_out: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Iterator[None]:
        """Context in which this process measures into the folder, alone or with its like.

        Args:
            steps: All sets, in the order in which one process would measure them.
            about: Manifest of the run.
            left_out: Spoke to the sets that will not be measured, and why.

        Raises:
            SemanticHubError: A process that measures something else is at it.
        """
        content = {
            "manifest": dict(about),
            "steps": [asdict(step) for step in steps],
            "left_out": {spoke: dict(reasons) for spoke, reasons in (left_out or {}).items()},
        }
        own = self._lock(_PROCESSES, uuid4().hex)
        with self._lock(_LOCK):
            if self._others() and _plan(self.path)["steps"] != list(steps):
                raise SemanticHubError(
                    "run",
                    got=f"{self.path}, into which another process measures something else",
                    expected="a folder of one run; processes of the same run share its sets",
                    fix="Wait until it is done (semantic-hub status), or name another folder.",
                )
            write_atomically(self.path / _PLAN, to_json(content, "run").encode(), "run")
            own.acquire()
        try:
            yield
        finally:
            _give_back(own)

    @contextmanager
    def claim(self, key: str, *, wait: bool) -> Iterator[bool]:
        """Context with whether this process has a set for itself.

        Args:
            key: Of the set.
            wait: Whether to wait for a process that has it; else another's set is left to it.
        """
        from filelock import Timeout

        lock = self._lock(_CLAIMS, key)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            _give_back(lock)

    def _lock(self, *where: str) -> "FileLock":
        from filelock import FileLock

        return FileLock(self.path.joinpath(*where))

    def _others(self) -> bool:
        """Whether another process is at it; what dead ones have left is removed."""
        from filelock import Timeout

        alive = False
        for file in (self.path / _PROCESSES).glob("*"):
            lock = self._lock(_PROCESSES, file.name)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                alive = True
            else:
                _give_back(lock)
        return alive

    def result(self, key: str, measure: Callable[[], Result]) -> Result:
        """The result that is there under a key, else measure it and keep it.

        Args:
            key: From `key`.
            measure: Makes the result.

        Raises:
            NothingLeftError: As `measure` raised now or before.
        """
        about, place = _places(self.path, key)
        if about.exists():
            try:
                return _kept(self.path, key)
            except NothingLeftError:
                raise
            except SemanticHubError as error:
                message = f"{key} is damaged and will be measured again: {error}"
                warnings.warn(message, SemanticHubWarning, stacklevel=2)
        start = time.monotonic()

        def done(**content: Any) -> None:
            taken = {"seconds": round(time.monotonic() - start, 2), **content}
            write_atomically(about, to_json(taken, "run").encode(), "run")

        try:
            result = measure()
        except NothingLeftError as error:
            parts = {name: str(getattr(error, name)) for name in _PARTS}
            done(kind="", left_out=parts)
            raise
        result.save(place)
        done(kind=result.kind, left_out=None)
        return result


def holds_run(folder: str | Path) -> bool:
    """Whether a folder is that of a run.

    Example:
        >>> holds_run("nowhere")
        False
    """
    return is_file(Path(folder) / _PLAN)


def run_status(folder: str | Path) -> RunStatus:
    """How far a run is: what is done, what is left, and for how long.

    Args:
        folder: That of the run, which may be going on.

    Raises:
        SemanticHubError: No run there.
    """
    path, seconds = Path(folder), {}
    plan = _plan(path)
    for step in plan["steps"]:
        about, _ = _places(path, step.key)
        if about.exists():
            with reading("run_status", about, expected="a set that is done", fix=_AGAIN) as file:
                seconds[step] = float(json.loads(file.read_text(encoding="utf-8"))["seconds"])
    left = tuple(step for step in plan["steps"] if step not in seconds)
    return RunStatus(plan["manifest"], seconds, left, plan.get("left_out", {}))


def run_findings(folder: str | Path) -> list[Findings]:
    """Findings of a run as far as it is; what is missing is named among what they left out.

    Args:
        folder: That of the run, which may be going on.

    Raises:
        SemanticHubError: No run there, or results that are damaged.
    """
    path, status = Path(folder), run_status(folder)
    steps = [*status.done, *status.left]
    spokes = dict.fromkeys([*status.left_out, *(step.spoke for step in steps)])
    results: dict[str, dict[str, dict[str, Result]]] = {spoke: {} for spoke in spokes}
    left_out = {spoke: dict(status.left_out.get(spoke, {})) for spoke in spokes}
    for step in steps:
        try:
            if step in status.left:
                left_out[step.spoke][f"{step.what}, {step.name}"] = "not measured yet"
                continue
            result = _kept(path, step.key)
            group = SPELLED_OUT if step.what == TOP_TOKENS else result.kind
            results[step.spoke].setdefault(group, {})[step.name] = result
        except NothingLeftError as error:
            left_out[step.spoke][f"{step.what}, {step.name}"] = str(error)
    return [Findings(spoke, groups, left_out[spoke]) for spoke, groups in results.items()]


def model_digest(model: HookedModel) -> str:
    """Digest of a model's weights, buffers and tokenizer; about a second for each gigabyte.

    Args:
        model: The model.

    Example:
        >>> model_digest(model) == model_digest(sh.random_twin(model))
        False
    """
    tokenizer = getattr(model, "tokenizer", None)
    backend = getattr(tokenizer, "backend_tokenizer", None)
    words = backend.to_str() if backend is not None else getattr(tokenizer, "get_vocab", dict)()
    return content_digest(type(model), words, dict(cast("Module", model).state_dict()))


def _plan(run: Path) -> dict[str, Any]:
    """What is to be measured: ``manifest``, and ``steps`` as `Step`."""
    fix = "Give the folder that report(folder=...) or --run names."
    with reading("run_status", run / _PLAN, expected="the folder of a run", fix=fix) as file:
        plan = json.loads(file.read_text(encoding="utf-8"))
        return {**plan, "steps": [Step(**step) for step in plan["steps"]]}


def _give_back(lock: "FileLock") -> None:
    """Remove a lock's file and release it; who waits for it then finds what was done."""
    Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _places(run: Path, key: str) -> tuple[Path, Path]:
    """The file that says that a set is done, and the folder of its result."""
    return run / _SETS / f"{key}.json", run / _SETS / key


def _kept(run: Path, key: str) -> Result:
    """The result of a set that is done."""
    about, place = _places(run, key)
    with reading("run", about, expected="a set that is done", fix=_AGAIN) as file:
        content = json.loads(file.read_text(encoding="utf-8"))
        left_out, kind = content["left_out"], content["kind"]
        if left_out is None:
            return class_of(kind).load(place)
    raise NothingLeftError(**left_out)


@cache
def _source_digest() -> str:
    """Digest of the package's own source."""
    root = Path(__file__).parents[1]
    return content_digest([file.read_bytes() for file in sorted(root.rglob("*.py"))])
