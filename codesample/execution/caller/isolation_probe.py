"""Find out what isolation this machine grants, by confining a real child and attacking from inside it."""

from __future__ import annotations

import functools
import os
import platform
import pwd
import random
import socket
import tempfile
from dataclasses import dataclass

from codesample.errors import IsolationError
from codesample.execution.caller.granted_modules import package_folders
from codesample.execution.isolation import attacks, bubblewrap, landlock
from codesample.execution.isolation.confinement import Confinement
from codesample.execution.isolation.grants import Isolation, Mechanism
from codesample.execution.isolation.level import Level
from codesample.execution.isolation.program_folder import program_folder
from codesample.execution.limits import Limits
from codesample.execution.wire import launch
from codesample.execution.worker.exchange import Exchange, ProgramStopped
from codesample.execution.worker.raised import said
from codesample.execution.worker.remote import Remote
from codesample.execution.worker.spawner import HarnessFault, Spawner

__all__ = ["choose", "confinement_of", "probe_isolation", "spare_user"]

# users that systemd sets aside for services without an account; any other number would do as well
_SPARE_USERS = range(61_184, 65_520)

_MISSING_LANDLOCK = (
    "Landlock needs Linux 5.13 or newer, started with 'landlock' in its lsm= list "
    "(see /sys/kernel/security/lsm), and a container whose seccomp profile allows landlock_* calls"
)
_MISSING_SECCOMP = "seccomp filters need a kernel with CONFIG_SECCOMP_FILTER on x86_64 or aarch64"
_MISSING_NAMESPACES = (
    "unprivileged user namespaces are refused: allow them (on Ubuntu by "
    "sysctl kernel.apparmor_restrict_unprivileged_userns=0, elsewhere by user.max_user_namespaces > 0), "
    "or accept the level 'confined'"
)
_REMEDIES = {
    Level.NAMESPACED: "",
    Level.CONFINED: _MISSING_NAMESPACES,
    Level.LIMITED: _MISSING_LANDLOCK,
    Level.NONE: _MISSING_SECCOMP,
}


def probe_isolation() -> Isolation:
    """Return the strongest level this machine grants, with what was tried and found.

    Takes a few tenths of a second the first time; later calls return the same report.

    Raises:
        IsolationError: not even unconfined programs can be run here; names the reason.
    """
    reasons: dict[Level, str] = {}
    for level in sorted(Level, reverse=True):
        trial = _try(level)
        if trial.held is not None:
            return _report(level, trial, reasons)
        reasons[level] = trial.reason
    raise IsolationError(f"programs cannot be run on this machine: {reasons[Level.NONE]}")


def choose(*, minimum: Level, level: Level | None) -> Isolation:
    """Return the report for the level to use: `level`, or the strongest granted.

    Raises:
        IsolationError: this machine grants less than asked for; names the reason and the remedy.
    """
    if level is None:
        report = probe_isolation()
        if report.level >= minimum:
            return report
        wanted, reason = minimum, _try(minimum).reason
    elif level >= minimum:
        trial = _try(level)
        if trial.held is not None:
            return _report(level, trial, {})
        wanted, reason = level, trial.reason
    else:
        raise IsolationError(f"level {level.label!r} is below the minimum {minimum.label!r}")
    if wanted is Level.NONE:
        raise IsolationError(f"programs cannot be run on this machine: {reason}")
    weaker = Level(wanted - 1)
    raise IsolationError(
        f"this machine does not grant isolation level {wanted.label!r}: {reason}. {_REMEDIES[weaker]}. "
        f"To run all the same, allow a weaker level by name: --allow-weak-isolation {weaker.label}, "
        f"in Python RunOptions(allow_weak_isolation={weaker.label!r}) "
        f"or Executor(minimum=Level.{weaker.name})"
    )


def spare_user() -> int | None:
    """Return a numeric user that nobody has, to run programs as; None unless this process is root's."""
    if os.geteuid() != 0:
        return None
    while True:
        candidate = random.SystemRandom().choice(_SPARE_USERS)
        try:
            pwd.getpwuid(candidate)
        except KeyError:
            return candidate


def confinement_of(isolation: Isolation) -> Confinement:
    """Return how a worker confines its programs, with a user of its own; where is settled there."""
    return Confinement(
        level=isolation.level,
        folder="",
        uid=spare_user(),
        packages=package_folders(),
        bwrap=bubblewrap.find() if isolation.mechanisms["bwrap"].granted else "",
    )


@dataclass(frozen=True, slots=True)
class _Trial:
    """What came of confining a child: which attacks failed, or None and the reason; whether by bwrap.

    `group` is the version of the control group round it, 0 for none.
    """

    held: dict[str, bool] | None
    reason: str = ""
    wrapped: bool = False
    group: int = 0


@functools.cache
def _try(level: Level) -> _Trial:
    """Confine a child at `level` and attack from inside."""
    try:
        trial = _confine(level, wrapped=False)
    except OSError as error:
        return _Trial(None, f"no folder can be made for programs: {error}")
    if trial.held is None and level is Level.NAMESPACED and bubblewrap.find():
        second = _confine(level, wrapped=True)
        if second.held is not None:
            return second
        return _Trial(None, f"{trial.reason}; by bwrap: {second.reason}")
    return trial


def _confine(level: Level, *, wrapped: bool) -> _Trial:
    launch.hold_standard_descriptors()
    with program_folder(level, tempfile.gettempdir()) as folder:
        spawner = Spawner(
            Confinement(
                level=level, folder=folder, uid=spare_user(), bwrap=bubblewrap.find() if wrapped else ""
            )
        )
        ours, theirs = socket.socketpair()
        try:
            exchange = Exchange(spawner, Limits(), caller=ours.fileno())
            found = Remote(exchange).load(attacks.SOURCE, ["held"])
            exchange.close()
            group = spawner.group.version if spawner.group else 0
        except HarnessFault as fault:
            return _Trial(None, str(fault))
        except ProgramStopped as stopped:
            return _Trial(None, stopped.detail)
        except Exception as error:
            return _Trial(None, f"the small attacks could not be tried: {said(error)}")
        finally:
            spawner.close()
            ours.close()
            theirs.close()
    held = {name: found["held"].get(name) is True for name in attacks.NAMES}
    succeeded = [name for name in attacks.REQUIRED[level] if not held[name]]
    if succeeded:
        return _Trial(None, f"a child could still {', '.join(succeeded)}")
    return _Trial(held, wrapped=wrapped, group=group)


def _report(level: Level, trial: _Trial, reasons: dict[Level, str]) -> Isolation:
    version = landlock.interface_version()
    user = "a spare user per worker" if os.geteuid() == 0 else f"the caller's, {os.geteuid()}"

    def mechanism(since: Level, detail: str) -> Mechanism:
        return Mechanism(level >= since, detail if level >= since else reasons.get(since, "not asked for"))

    return Isolation(
        level=level,
        mechanisms={
            "seccomp": mechanism(Level.LIMITED, "allow list, shipped filter"),
            "landlock": mechanism(Level.CONFINED, f"interface version {version}"),
            "namespaces": mechanism(Level.NAMESPACED, "mount, network, IPC, host name"),
            "bwrap": Mechanism(trial.wrapped, _bwrap_detail(level, trial)),
            "spare_uid": Mechanism(os.geteuid() == 0, user),
            "control_group": Mechanism(
                trial.group > 0,
                f"version {trial.group}, memory of one program at a time"
                if trial.group
                else "no part of the tree is this process's to divide; limits and a watch bound memory",
            ),
            "run_queue_clock": _run_queue_clock(),
        },
        attacks=trial.held or {},
        kernel=platform.release(),
        machine=platform.machine(),
        uid_policy=user,
        python=platform.python_version(),
        hash_seed=launch.ENVIRONMENT["PYTHONHASHSEED"],
        remedy=_REMEDIES[level],
    )


def _bwrap_detail(level: Level, trial: _Trial) -> str:
    if trial.wrapped:
        return "makes the namespaces"
    return "not needed" if level is Level.NAMESPACED or not bubblewrap.find() else "did not help"


def _run_queue_clock() -> Mechanism:
    try:
        with open("/proc/self/schedstat") as file:
            return Mechanism(len(file.read().split()) == 3, "wall limits leave out waiting for a core")
    except OSError as error:
        return Mechanism(False, f"wall limits count waiting for a core: {error}")
