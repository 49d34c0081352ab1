"""What is free on a device, and sizes in words."""

from types import SimpleNamespace

import pytest
import torch

from codesample.errors import ParameterError
from codesample.sampling import memory
from codesample.sampling.memory import free_memory, give_back, is_out_of_memory, parse_size

CPU = torch.device("cpu")
MIB = 2**20


def group(folder, *, limit, used, inactive=0, active=0, version=2):
    folder.mkdir(parents=True, exist_ok=True)
    names = (
        ("memory.max", "memory.current")
        if version == 2
        else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    )
    prefix = "" if version == 2 else "total_"
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(
        f"anon 17\n{prefix}inactive_file {inactive}\n{prefix}active_file {active}\nunevictable 0\n"
    )


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """An empty tree of control groups, and who is in which."""
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_MEMBERSHIP", tmp_path / "membership")
    (tmp_path / "membership").write_text("0::/\n")
    return tmp_path / "cgroup"


def join(groups, line):
    (groups.parent / "membership").write_text(line + "\n")


@pytest.mark.parametrize("version", [1, 2])
def test_cached_files_do_not_count_as_used(groups, version):
    root = groups if version == 2 else groups / "memory"
    join(groups, "0::/" if version == 2 else "0::/\n4:memory:/")
    group(root, limit=100 * MIB, used=95 * MIB, inactive=60 * MIB, active=20 * MIB, version=version)
    assert free_memory(CPU) == 85 * MIB


@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_group_around_the_process_decides(groups, version):
    root = groups if version == 2 else groups / "memory"
    join(groups, "0::/a/b" if version == 2 else "0::/\n4:memory:/a/b")
    group(root / "a" / "b", limit=90 * MIB, used=10 * MIB, version=version)
    group(root / "a", limit=50 * MIB, used=20 * MIB, version=version)
    group(root / "other", limit=1, used=1, version=version)
    assert free_memory(CPU) == 30 * MIB


def test_in_a_container_whose_path_is_the_hosts_the_mounts_own_limit_holds(groups):
    join(groups, "4:memory:/docker/0123")
    group(groups / "memory", limit=40 * MIB, used=15 * MIB, version=1)
    assert free_memory(CPU) == 25 * MIB


@pytest.fixture
def machine(monkeypatch):
    """A machine of which 64 MiB are available."""
    there = SimpleNamespace(total=256 * MIB, free=16 * MIB, available=64 * MIB)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: there)


@pytest.mark.usefixtures("machine")
def test_a_group_without_a_limit_leaves_what_the_machine_has(groups):
    assert free_memory(CPU) == 64 * MIB
    group(groups, limit="max", used=10**15)
    assert free_memory(CPU) == 64 * MIB


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("limit", "left"), [(50, 40), (500, 64)])
def test_the_less_of_machine_and_group_is_free(groups, limit, left):
    group(groups, limit=limit * MIB, used=10 * MIB)
    assert free_memory(CPU) == left * MIB


@pytest.mark.parametrize(("first", "second"), [(40, 90), (90, 40)])
def test_groups_of_both_versions_hold_at_once(groups, first, second):
    join(groups, "0::/a\n4:memory:/a\n3:cpu,cpuacct:/a")
    group(groups / "a", limit=first * MIB, used=10 * MIB)
    group(groups / "memory" / "a", limit=second * MIB, used=10 * MIB, version=1)
    assert free_memory(CPU) == 30 * MIB


@pytest.mark.usefixtures("machine")
def test_a_machine_without_control_groups_has_what_is_available(groups):
    (groups.parent / "membership").unlink()
    assert free_memory(CPU) == 64 * MIB


def test_some_of_this_machine_is_free():
    assert 0 < free_memory(CPU) <= memory.psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("given", "size"),
    [(1000, 1000), ("1000", 1000), ("2GB", 2 * 10**9), ("1.5 MiB", 3 * 2**19), (" 4kb ", 4000)],
)
def test_sizes_are_read_in_either_kind_of_unit(given, size):
    assert parse_size(given) == size


@pytest.mark.parametrize("given", ["much", "-1", "2 XB", ""])
def test_other_sizes_are_refused(given):
    with pytest.raises(ParameterError, match="expected a number of bytes"):
        parse_size(given)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("Triton Error [CUDA]: out of memory"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), False),
        (ValueError("can't allocate memory"), False),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_full_memory_is_known_whoever_filled_it(error, full):
    assert is_out_of_memory(error) == full


def test_memory_that_torch_holds_is_given_back_to_a_gpu_alone(monkeypatch):
    given = []
    for kind in ("cuda", "xpu"):
        monkeypatch.setattr(getattr(torch, kind), "empty_cache", lambda kind=kind: given.append(kind))
    for device in ("cpu", "cuda:0", "xpu"):
        give_back(torch.device(device))
    assert given == ["cuda", "xpu"]
