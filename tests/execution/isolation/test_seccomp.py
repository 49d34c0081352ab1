"""The shipped filters are those of the policy, and decide as it says."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from codesample.execution.isolation import bpf, seccomp, syscalls

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
PID = 4_321
ALLOW, KILL = "allow", "kill"


def run(code: bytes, number: int, arguments: tuple[int, ...] = (), architecture: int = 0) -> str | int:
    """Interpret a filter for one call; return "allow", "kill" or an errno."""
    filled = (*arguments, *[0] * 6)[:6]
    data = number.to_bytes(4, "little") + architecture.to_bytes(4, "little") + bytes(8)
    data += b"".join((value & (2**64 - 1)).to_bytes(8, "little") for value in filled)
    instructions = list(bpf.INSTRUCTION.iter_unpack(code))
    at = value = 0
    while True:
        operation, true, false, constant = instructions[at]
        at += 1
        if constant == bpf.SELF:
            constant = PID
        if operation == 0x20:
            value = int.from_bytes(data[constant : constant + 4], "little")
        elif operation == 0x54:
            value &= constant
        elif operation == 0x06:
            return {0x7FFF0000: ALLOW, 0x80000000: KILL}.get(constant, constant & 0xFFFF)
        else:
            taken = {0x15: value == constant, 0x25: value > constant, 0x35: value >= constant}[operation]
            at += true if taken else false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("variant", seccomp.VARIANTS)
def test_shipped_filter_is_the_assembled_policy(machine: str, variant: str) -> None:
    shipped = (Path(seccomp.FILTERS) / f"{variant}-{machine}.bpf").read_bytes()
    assert shipped == seccomp.build(machine, variant), "run: python -m codesample.execution.isolation.seccomp"


@pytest.fixture(params=MACHINES)
def decide(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    machine = request.param
    code = (Path(seccomp.FILTERS) / f"confined-{machine}.bpf").read_bytes()
    numbers = syscalls.numbers(machine)
    return lambda name, *arguments: run(
        code, name if isinstance(name, int) else numbers[name], arguments, MACHINES[machine]
    )


@pytest.mark.parametrize(
    "name", ["read", "write", "munmap", "futex", "openat", "exit_group", "getrandom", "brk"]
)
def test_ordinary_calls_are_allowed(decide, name: str) -> None:  # type: ignore[no-untyped-def]
    assert decide(name) == ALLOW


def test_threads_but_no_processes(decide) -> None:  # type: ignore[no-untyped-def]
    assert decide("clone", 0x3D0F00) == ALLOW
    assert decide("clone", 0x7D0F00) == ALLOW
    assert decide("clone", 17) == errno.EPERM
    assert decide("clone", 0x4111) == errno.EPERM
    assert decide("clone3") == errno.ENOSYS


@pytest.mark.parametrize("kept_apart", [0x100, 0x200, 0x400, 0x800, 0x40000])
def test_threads_share_everything(decide, kept_apart: int) -> None:  # type: ignore[no-untyped-def]
    assert decide("clone", 0x3D0F00 & ~kept_apart) == errno.EPERM


def test_threads_get_no_namespace(decide) -> None:  # type: ignore[no-untyped-def]
    for namespace in (0x00020000, 0x10000000, 0x40000000):
        assert decide("clone", 0x3D0F00 | namespace) == errno.EPERM


def test_shared_memory_belongs_to_a_file(decide) -> None:  # type: ignore[no-untyped-def]
    private, shared, validated, anonymous, fixed, stack = 0x02, 0x01, 0x03, 0x20, 0x10, 0x20000
    for flags in (private, private | fixed | 0x800, private | anonymous | stack, shared):
        assert decide("mmap", 0, 4096, 3, flags) == ALLOW
    for flags in (shared | anonymous, validated, validated | anonymous, shared | anonymous | fixed, 0, 0x0F):
        assert decide("mmap", 0, 4096, 3, flags) == errno.EPERM


def test_signals_to_itself_alone(decide) -> None:  # type: ignore[no-untyped-def]
    for call in ("kill", "tgkill"):
        assert decide(call, PID, PID, 9) == ALLOW
        assert decide(call, PID + 1, PID, 9) == errno.EPERM
        assert decide(call, 2**64 - 1, 9) == errno.EPERM
        assert decide(call, 0, 9) == errno.EPERM


def test_socket_pairs_of_streams_alone(decide) -> None:  # type: ignore[no-untyped-def]
    assert decide("socketpair", 1, 1 | 0o2000000) == ALLOW
    assert decide("socketpair", 1, 2) == errno.EPERM
    assert decide("socketpair", 2, 1) == errno.EPERM
    assert decide("sendto", 3, 0, 0, 0, 0) == ALLOW
    assert decide("sendto", 3, 0, 0, 0, 0x7F0000000000) == errno.EPERM
    assert decide("sendto", 3, 0, 0, 0, 8) == errno.EPERM


def test_descriptors_send_no_signals(decide) -> None:  # type: ignore[no-untyped-def]
    assert decide("fcntl", 0, 3) == ALLOW
    assert decide("fcntl", 0, 8, PID + 1) == errno.EPERM
    assert decide("fcntl", 0, 10, 9) == errno.EPERM


def test_pipes_keep_their_size_and_files_have_no_locks(decide) -> None:  # type: ignore[no-untyped-def]
    assert decide("fcntl", 0, 1031, 1 << 24) == errno.EPERM
    for lock in (5, 6, 7, 36, 37, 38, 1024):
        assert decide("fcntl", 0, lock) == errno.EPERM


def test_limits_of_itself_alone(decide) -> None:  # type: ignore[no-untyped-def]
    assert decide("prlimit64", 0) == decide("prlimit64", PID) == ALLOW
    assert decide("prlimit64", PID + 1) == errno.EPERM


def test_unknown_calls_do_not_exist(decide) -> None:  # type: ignore[no-untyped-def]
    assert decide(451) == errno.ENOSYS
    assert decide(0x3FFFFFFF) == errno.ENOSYS
    assert decide(0x40000000) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_other_architectures_are_killed(machine: str) -> None:
    code = (Path(seccomp.FILTERS) / f"confined-{machine}.bpf").read_bytes()
    for other in {0x40000003, *MACHINES.values()} - {MACHINES[machine]}:
        assert run(code, 0, (), other) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_read_only_variant_opens_for_reading_alone(machine: str) -> None:
    code = (Path(seccomp.FILTERS) / f"read-only-{machine}.bpf").read_bytes()
    number = syscalls.numbers(machine)["openat"]
    assert run(code, number, (0, 0, 0o2000000), MACHINES[machine]) == ALLOW
    for flags in (1, 2, 0o100, 0o1000, 0o20200000):
        assert run(code, number, (0, 0, flags), MACHINES[machine]) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_scratch_variant_changes_files_and_nothing_else(machine: str) -> None:
    plain, scratch = (
        (Path(seccomp.FILTERS) / f"{variant}-{machine}.bpf").read_bytes()
        for variant in ("confined", "scratch")
    )
    architecture = MACHINES[machine]
    numbers = syscalls.numbers(machine, changing_files=True)
    names = {number: name for name, number in numbers.items()}
    more = {
        names[number]
        for number in range(500)
        if run(scratch, number, (), architecture) != run(plain, number, (), architecture)
    }
    assert more == numbers.keys() - syscalls.numbers(machine).keys()
    assert {"mkdirat", "unlinkat", "renameat2", "ftruncate", "fchmod"} <= more
    assert not any(
        name.startswith(("link", "sym", "mk", "set", "exec")) for name in more - {"mkdir", "mkdirat"}
    )
    fcntl = numbers["fcntl"]
    for command in range(1_100):
        locks = command in (5, 6, 7)
        assert (run(scratch, fcntl, (0, command), architecture) == ALLOW) is (
            locks or run(plain, fcntl, (0, command), architecture) == ALLOW
        )


def test_every_call_of_the_policy_decides_without_error(decide) -> None:  # type: ignore[no-untyped-def]
    for number in range(500):
        assert decide(number) in (ALLOW, errno.EPERM, errno.ENOSYS)


@pytest.mark.skipif(not HEADER.exists(), reason="needs the kernel's headers for x86_64")
def test_numbers_agree_with_the_kernel_headers() -> None:
    known = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", HEADER.read_text()))
    ours = syscalls.numbers("x86_64", changing_files=True)
    assert {name: int(known[name]) for name in ours if name in known} == ours


@pytest.mark.parametrize(
    "name",
    [
        "execve",
        "execveat",
        "ptrace",
        "socket",
        "connect",
        "bind",
        "unshare",
        "setns",
        "mount",
        "memfd_create",
        "setsockopt",
        "flock",
        "timer_create",
        "rt_sigqueueinfo",
        "inotify_init1",
        "mq_open",
        "msgget",
        "shmat",
        "splice",
        "vmsplice",
        "mlock",
        "chmod",
        "fchmodat",
        "unlink",
        "unlinkat",
        "rename",
        "mkdir",
        "truncate",
        "setuid",
        "setresuid",
        "prctl_",
        "bpf",
        "io_uring_setup",
        "keyctl",
        "shmget",
        "pidfd_open",
    ],
)
def test_nothing_of_the_kind_is_in_the_table(name: str) -> None:
    assert name not in syscalls.numbers("x86_64")
