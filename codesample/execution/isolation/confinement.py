"""What a zygote gives up once, and what each child of it gives up before it sees a program.

Every step either succeeds or raises: a machine that grants less than the level asks for runs nothing.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any, NamedTuple

from codesample.execution.isolation import bubblewrap, landlock, linux, namespaces, seccomp
from codesample.execution.isolation.level import Level

__all__ = ["Confinement", "Kit"]

_MIB = 1 << 20
_ADDRESS_SPACE_MARGIN = 256 * _MIB
_RESERVED = 1024 * _MIB
_MODULES_MARGIN = 2048 * _MIB
_STACK_BYTES = 64 * _MIB
_MAX_THREADS = 64
_MAX_DESCRIPTORS = 64
_MAX_SIGNALS = 256
_FIRST_KEPT = 40
_TRUNCATE_SINCE = 3

_LIBRARIES = ("/usr/lib", "/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_INSTALLED = {"site-packages", "dist-packages", "codesample"}
"""Names within the above that programs may not read: packages nobody granted, and hidden tests of ours."""
# mapped by who may write to it, /dev/zero is shared memory without a file
_DATA = ("/usr/share/zoneinfo", "/dev/urandom", "/dev/random", "/dev/zero")
_DEVICES = ("/dev/null",)


class Confinement(NamedTuple):
    """How the children of one zygote are confined.

    Attributes:
        level: Which mechanisms must hold.
        folder: An empty folder, the programs' current one; see `program_folder`.
        uid: Numeric user and group to switch to, or None to stay; needed when started as root.
        packages: Folders beside the standard library that programs with `Limits.imports` may import from.
        bwrap: Path of a `bwrap` that makes the zygote's namespaces, or "" for it to make them itself.
        scratch: Bytes of files that programs may keep in `folder`; 0 for none.
    """

    level: Level
    folder: str
    uid: int | None = None
    packages: tuple[str, ...] = ()
    bwrap: str = ""
    scratch: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON data for `from_json`."""
        return self._asdict()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Confinement:
        """Build the record again in the zygote."""
        return cls(**{**data, "level": Level(data["level"]), "packages": tuple(data["packages"])})

    @property
    def visible(self) -> list[str]:
        """Paths that hold what programs may read, and little else."""
        base = os.path.join(sys.base_prefix, "lib")
        return [*self.searched, base, *_LIBRARIES, *_DATA, self.folder]

    @property
    def searched(self) -> list[str]:
        """Folders that programs import from, and may therefore list."""
        return [os.path.dirname(os.__file__), *self.packages]

    @property
    def readable(self) -> list[str]:
        """Paths beneath which programs may read: `visible` without installed packages."""
        folders = dict.fromkeys(map(os.path.realpath, self.visible))
        return [part for folder in folders for part in _without_installed(folder)]

    @property
    def wrapper(self) -> list[str]:
        """The command that a zygote is started through; empty without `bwrap`."""
        if not self.bwrap:
            return []
        return bubblewrap.wrapper(self.bwrap, readable=self.visible, devices=_DEVICES, folder=self.folder)


class Kit:
    """Rights given up for the whole zygote when made, and those each child gives up, made ready."""

    def __init__(self, confinement: Confinement) -> None:
        """Restrict this process for good.

        Raises:
            OSError: the machine does not grant a step of the level.
        """
        level, uid, scratch = confinement.level, confinement.uid, confinement.scratch
        if scratch and (level < Level.NAMESPACED or confinement.bwrap):
            # nothing else bounds what files hold: one that is removed goes on while it is open or mapped
            raise OSError("a scratch folder needs isolation level 'namespaced', without bwrap")
        self._scratch = scratch
        self._filter: seccomp.Filter | None = None
        self._limit_threads = uid is not None
        # with installed modules imported, address space is mostly theirs, and they reserve more than they use
        self._space = _address_space() + _MODULES_MARGIN
        self.kept: list[int] = []
        """Descriptors that children need open."""
        if level >= Level.LIMITED:
            weak = level < Level.CONFINED or landlock.interface_version() < _TRUNCATE_SINCE
            # no other file can be opened for writing in a view where all else is mounted read-only
            self._filter = seccomp.Filter("scratch" if scratch else "read-only" if weak else "confined")
        if level >= Level.NAMESPACED and not confinement.bwrap:
            # the folders it makes are for the programs' user to walk
            os.umask(0o022)
            namespaces.enter(
                readable=confinement.visible,
                devices=_DEVICES,
                folder=confinement.folder,
                scratch=scratch,
                owner=uid,
            )
        elif uid is not None:
            self._keep_library_reachable()
        linux.no_new_privileges()
        if level >= Level.CONFINED:
            # once for all children: the rules are many, and each would copy them
            landlock.restrict_self(
                readable=confinement.readable,
                listable=confinement.searched,
                devices=_DEVICES,
                writable=[confinement.folder] if scratch else [],
            )
        os.chdir(confinement.folder)
        os.umask(0o077)
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        linux.drop_capabilities()
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        # a page left of a huge one would hold all of it
        linux.prctl(linux.PR_SET_THP_DISABLE, 1)

    @property
    def single_process(self) -> bool:
        """Whether children are kept from starting processes."""
        return self._filter is not None

    def _keep_library_reachable(self) -> None:
        """Name import folders by open descriptor, for a user who may not walk the path to them."""
        moved = {}
        for at, path in enumerate(sys.path):
            if os.path.isdir(path):
                low = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                # out of the way: the first file that a program opens is to have the number 3
                descriptor = os.dup2(low, _FIRST_KEPT + len(self.kept), inheritable=False)
                os.close(low)
                self.kept.append(descriptor)
                sys.path[at] = moved[path] = f"/proc/self/fd/{descriptor}"
        # a package that is loaded by now looks for the rest of it by its own path
        for module in tuple(sys.modules.values()):
            folders = getattr(module, "__path__", None)
            if isinstance(folders, list):
                folders[:] = [_moved(folder, moved) for folder in folders]
        sys.path_importer_cache.clear()

    def confine(self, *, cpu_seconds: float, memory: int, bounded_space: bool) -> None:
        """Give up the rights of this child; the last step of its trusted life.

        Args:
            cpu_seconds: Beyond it plus one second the kernel ends the process.
            memory: Bytes of private memory.
            bounded_space: Whether to bound memory by what the kernel counts for a process. That counts
                what is reserved, so a program with threads may lift the bound by 1 GiB (see
                `child/stacks.py`). Without it the kernel keeps only what is far beyond away. In either
                case somebody has to watch what is used.

        Raises:
            OSError: a step was refused.
        """
        seconds = int(cpu_seconds) + 1
        _lower(resource.RLIMIT_CPU, seconds, seconds + 1)
        _lower(resource.RLIMIT_CORE, 0, 0)
        _lower(resource.RLIMIT_FSIZE, self._scratch, self._scratch)
        _lower(resource.RLIMIT_NOFILE, _MAX_DESCRIPTORS, _MAX_DESCRIPTORS)
        _lower(resource.RLIMIT_SIGPENDING, _MAX_SIGNALS, _MAX_SIGNALS)
        _lower(resource.RLIMIT_STACK, _STACK_BYTES, None)
        if self._limit_threads:
            _lower(resource.RLIMIT_NPROC, _MAX_THREADS, _MAX_THREADS)
        if bounded_space:
            space = memory + _ADDRESS_SPACE_MARGIN
            _lower(resource.RLIMIT_DATA, memory, memory + _RESERVED)
            _lower(resource.RLIMIT_AS, space, space + _RESERVED)
        else:
            _lower(resource.RLIMIT_AS, self._space + 2 * memory, self._space + 2 * memory)
        if self._filter is not None:
            self._filter.load()


def _moved(folder: str, moved: dict[str, str]) -> str:
    """Return the new name of a folder within one of those that have one."""
    parent, _, name = folder.rpartition("/")
    return f"{moved[parent]}/{name}" if parent in moved else folder


def _address_space() -> int:
    """Bytes of address space that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _without_installed(folder: str) -> list[str]:
    """Return the path, or what it holds besides installed packages where it holds any."""
    try:
        entries = [entry for entry in os.scandir(folder) if not entry.is_symlink()]
    except OSError:
        return [folder]
    parts = []
    whole = True
    for entry in entries:
        if entry.name in _INSTALLED:
            whole = False
        elif entry.name.startswith("py") and entry.is_dir():
            inner = _without_installed(entry.path)
            whole = whole and inner == [entry.path]
            parts += inner
        else:
            parts.append(entry.path)
    return [folder] if whole else parts


def _lower(kind: int, soft: int, hard: int | None) -> None:
    """Set a limit, never above the hard limit inherited."""
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:
        soft = min(soft, ceiling)
        hard = ceiling if hard is None else min(hard, ceiling)
    resource.setrlimit(kind, (soft, resource.RLIM_INFINITY if hard is None else hard))
