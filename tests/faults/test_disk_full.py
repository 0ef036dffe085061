"""A full disk: calls go on, and their records arrive when there is room again."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.faults.scene import Scene, record_prompts, until
from tests.support.product import Product

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

Fill = Callable[[Product, Path], AbstractContextManager[None]]


@contextlib.contextmanager
def no_file_may_grow(product: Product, data: Path) -> Iterator[None]:  # noqa: ARG001
    """The kernel refuses every write to a file (EFBIG), as a quota does."""
    assert product.process is not None
    pid = product.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def no_room_left(product: Product, data: Path) -> Iterator[None]:  # noqa: ARG001
    """The file system is full to the last byte (ENOSPC)."""
    ballast = data / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    assert os.statvfs(data).f_bavail == 0
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[None]:
    """A file system of its own; skips where it may not be mounted."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tollbridge-test", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def product(tmp_path: Path, prompt_cache: Path, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A product whose data folder is on a small disk, if the test wants to fill that."""
    with contextlib.ExitStack() as stack:
        if request.node.callspec.params["fill"] is no_room_left:
            stack.enter_context(small_disk(tmp_path / "data", megabytes=8))
        record_prompts(tmp_path / "data")
        yield stack.enter_context(Product(tmp_path, prompt_cache=prompt_cache))


@pytest.mark.parametrize("fill", [no_room_left, no_file_may_grow], ids=lambda fill: fill.__name__)
def test_calls_go_on_and_records_arrive_later(product: Product, fill: Fill) -> None:
    data = product.folder / "data"
    with Scene(product) as scene:
        before = scene.caller()
        before.enter(product.listener_pin)
        with fill(product, data):
            during = scene.caller()
            during.dial()
            during.type(f"{product.listener_pin}#")
            during.inside()
            assert not before.call.ended.is_set()
            before.hang_up()
            rejected = scene.caller()
            assert rejected.dial("+33123456789").status == 404
            until(lambda: not healthy(product), "bad health")
            during.hang_up()
            until(lambda: scene.metric("tollbridge_calls") == 0, "the end of the calls")
            if product.database_url.startswith("sqlite"):  # another database takes them straight from memory
                assert not scene.records()
        for caller in (before, during, rejected):
            caller.record()
        assert [r["reason_slug"] for r in scene.records()].count("caller-hung-up") == 2
        assert scene.metric('tollbridge_cdr_lost_total{how="dropped"}') == 0
        until(lambda: healthy(product), "good health")
        after = scene.caller()
        after.enter(product.listener_pin)
        after.hang_up()
        after.record()
        assert len(product.cdrs(product.get(f"/v1/conferences/{product.room}/sessions")[-1]["id"])) >= 2


def healthy(product: Product) -> bool:
    """What /healthz says."""
    return product.send("GET", "/healthz").status_code == 200
