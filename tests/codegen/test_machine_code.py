"""Kept machine code: linked without the compiler where everything is right, passed over where anything is not."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.codegen import cache
from graphc.codegen.machine_code import keep, kept_address
from graphc.codegen.native import object_code
from graphc.codegen.translate import translate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="machine code is kept where objects are ELF")

PROGRAM = """
import sys
import numpy as np, graphc as gx
x = gx.tensor("x", ("n", 3))
wanted = [gx.softmax(x), gx.sin(x), x @ x.T, gx.prod(x), gx.cumsum(x), gx.linalg.logdet(x.T @ x + np.eye(3))]
f = gx.compile(wanted)
a = np.arange(6.0).reshape(2, 3)
for got, want in zip(f(a), gx.evaluate(wanted, {x: a})):
    np.testing.assert_allclose(got, want, rtol=1e-5)
f.run({x: a}, [1, 0], 1)
"""  # linear algebra is compiled by Numba
FUNCTION = """
import sys
import numpy as np, graphc as gx
assert gx.compile(gx.cos(gx.tensor("x", ())), math="libm")(0.0) == 1
print("numba" in sys.modules)
"""  # and so is what the C library computes


def run(program: str, folder: Path, **settings: str) -> bool:
    environment = {**os.environ, "GRAPHC_CACHE_DIR": str(folder), "PYTHONPATH": str(Path(gx.__file__).parent.parent), **settings}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "True"


def test_a_second_process_does_not_import_the_compiler(tmp_path: Path) -> None:
    both = PROGRAM + FUNCTION
    assert run(both, tmp_path)
    assert not run(both, tmp_path)
    assert run(FUNCTION, tmp_path, NUMBA_OPT="1")  # a setting of the compiler that code depends on
    assert not run(FUNCTION, tmp_path, NUMBA_OPT="1")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_loaded", {})
    x = gx.tensor("x", (3,))
    np.testing.assert_allclose(gx.compile(gx.cos(x) - 0.375, math="libm")(np.zeros(3)), np.full(3, 0.625))
    return next(p for p in sorted((tmp_path / "kernels").glob("*.machine")) if b"cosf" in p.read_bytes())


def parts(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n", 4)


def write(path: Path, key: bytes, symbol: bytes, outside: bytes, code: bytes) -> None:
    content = b"\n".join([key, symbol, outside, code])
    path.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def test_a_kept_kernel_is_found_by_its_key_alone(kept: Path) -> None:
    _, key, *_ = parts(kept)
    assert kept_address(kept, key.decode())
    assert kept_address(kept, "0" * 64) is None
    assert kept_address(kept.with_name("nothing"), key.decode()) is None


def test_a_function_that_is_missing_is_noticed_before_linking(kept: Path) -> None:
    _, key, symbol, outside, code = parts(kept)
    assert b"cosf" in outside.split()
    write(kept, key, symbol, outside + b" no_such_function", code)
    assert kept_address(kept, key.decode()) is None
    write(kept, key, symbol, outside, code)
    assert kept_address(kept, key.decode())


FLIPPED = [1, 0x80, 0xFF]
REPLACED = {"nothing": b"", "a zero": b"\0", "text": b"no machine code\n" * 40, "line ends": b"\n" * 400, "not UTF-8": b"\xff\n\xfe" * 100}


@pytest.mark.parametrize("bits", FLIPPED)
def test_any_changed_byte_is_noticed(kept: Path, bits: int) -> None:
    whole, key = kept.read_bytes(), parts(kept)[1].decode()
    for at in range(len(whole)):
        kept.write_bytes(whole[:at] + bytes([whole[at] ^ bits]) + whole[at + 1 :])
        assert kept_address(kept, key) is None, at


def test_any_missing_or_added_end_is_noticed(kept: Path) -> None:
    whole, key = kept.read_bytes(), parts(kept)[1].decode()
    for size in range(len(whole)):
        kept.write_bytes(whole[:size])
        assert kept_address(kept, key) is None, size
    kept.write_bytes(whole + b"\0")
    assert kept_address(kept, key) is None


@pytest.mark.parametrize("content", REPLACED.values(), ids=REPLACED)
def test_other_content_is_noticed(kept: Path, content: bytes) -> None:
    key = parts(kept)[1].decode()
    kept.write_bytes(content)
    assert kept_address(kept, key) is None


def test_a_folder_in_its_place_is_passed_over(kept: Path) -> None:
    key = parts(kept)[1].decode()
    kept.unlink()
    kept.mkdir()
    assert kept_address(kept, key) is None
    keep(kept, key, "kernel", parts_of_nothing())
    assert not list(kept.parent.glob("*.tmp"))


def parts_of_nothing() -> bytes:
    return object_code(translate("def kernel(row, low, high, worker):\n    pass\n"))


@pytest.mark.parametrize("step", ["mkstemp", "fdopen", "replace", "mkdir"])
def test_a_full_disk_leaves_no_trace(step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*given: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    where = {"mkstemp": tempfile, "mkdir": Path}.get(step, os)
    with monkeypatch.context() as patch:
        patch.setattr(where, step, full)
        keep(tmp_path / "kernels" / "kernel.machine", "key", "kernel", parts_of_nothing())
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
