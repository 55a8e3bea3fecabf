"""Frames of the passes, and the paths of the chain rule."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pypdf import PdfReader

import graphc as gx
from graphc.view import frames, paths
from tests.view.examples import circuit, network, softmax_regression, two_paths

SVG = "{http://www.w3.org/2000/svg}"


def note(svg: str) -> str:
    root = ET.fromstring(svg)
    group = next(g for g in root.iter(f"{SVG}g") if g.attrib["id"] == "note-0")
    return group.findtext(f"{SVG}title") or ""


def test_frames_follow_the_passes() -> None:
    e, at = circuit()
    f = frames(e, at=at)
    assert len(f) == 11
    assert [note(p.svg) for p in f][1:] == [
        "a = 2", "b = 1", "c = + = 3", "d = + 1 = 2", "e = × = 6",
        "∂e/∂e = 1", "∂e/∂d = 3", "∂e/∂c = 2", "∂e/∂b = 5", "∂e/∂a = 2",
    ]  # fmt: skip
    assert r"= {2} \cdot {1} + {3} \cdot {1} = {5}" in f[9].tex


def test_frames_share_one_layout_and_show_only_what_is_known() -> None:
    loss, at = network()
    f = frames(loss, at=at)
    places = []
    for picture in (f[0], f[6], f[-1]):
        root = ET.fromstring(picture.svg)
        nodes = {g.attrib["id"]: g for g in root.iter(f"{SVG}g") if g.attrib["id"] in ("W1", "z", "h", "y_hat", "y-hat", "L")}
        texts = {k: [p.attrib["transform"] for p in g.iter(f"{SVG}path") if "f-ink" in p.attrib["class"]] for k, g in nodes.items()}
        places.append((root.attrib["width"], root.attrib["height"], texts))
    assert len(places[0][2]) == 5
    assert places[0] == places[1] == places[2]

    def coloured(svg: str, role: str) -> int:
        return sum(f'class="f-{role}"' in part for part in svg.split("<path") if "translate" in part)

    first, last = f[0].svg, f[-1].svg
    assert coloured(first, "value") == 1  # the sample of the legend alone
    assert coloured(first, "gradient") == 1
    assert coloured(last, "value") > 10
    assert coloured(last, "gradient") > 10


def test_frames_save(tmp_path: Path) -> None:
    a, b = gx.scalars("a b")
    f = frames((a * b).named("c"), at={a: 2, b: 3})
    assert len(PdfReader(f.save(tmp_path / "f.pdf")).pages) == len(f) == 7
    with Image.open(f.save(tmp_path / "f.gif")) as gif:
        assert gif.n_frames == 7
    page = f.save(tmp_path / "f.html").read_text(encoding="utf-8")
    assert page.count('class="frame"') == 7
    assert 'type="range"' in page
    assert "ArrowRight" in page
    moving = f.save(tmp_path / "f.svg").read_text(encoding="utf-8")
    root = ET.fromstring(moving)
    assert sum(1 for _ in root.iter(f"{SVG}animate")) == 7
    ids = re.findall(r' id="([^"]+)"', moving)
    assert len(ids) == len(set(ids))
    assert f.save(tmp_path / "f.svg").read_text(encoding="utf-8") == moving
    with pytest.raises(gx.DeclarationError, match=r"'\.html', '\.gif', '\.pdf', '\.svg'"):
        f.save(tmp_path / "f.mp4")


def test_frames_refuse() -> None:
    e, _ = circuit()
    with pytest.raises(gx.DataError, match=r"^a .*has no value"):
        frames(e)
    with pytest.raises(gx.DeclarationError, match="scalar"):
        frames(gx.tensor("x", (2,)) * 2)


def test_paths_of_the_circuit() -> None:
    e, at = circuit()
    leaves = gx.leaves(e)
    p = paths(e, leaves["b"], at=at)
    assert len(p) == 2
    assert [q.names for q in p] == [("b", "c", "e"), ("b", "d", "e")]
    assert [q.product for q in p] == [2.0, 3.0]
    assert p.sum == 5.0
    assert paths(e, leaves["a"], at=at).sum == 2.0
    assert "path 2: b to d to e = 3" in p.picture.description
    assert "the sum of 2 paths = 5" in p.picture.description
    assert ET.fromstring(p.svg) is not None
    assert p.svg == paths(e, leaves["b"], at=at).svg


def test_paths_without_values_are_expressions() -> None:
    f, at = two_paths()
    x1 = gx.leaves(f)["x1"]
    p = paths(f, x1)
    assert [float(gx.evaluate(q.product, at)) for q in p] == pytest.approx([5.0, np.cos(2.0)])
    assert float(gx.evaluate(p.sum, at)) == pytest.approx(5.0 + np.cos(2.0))


@pytest.mark.parametrize("example", [network, softmax_regression])
def test_products_of_arrays_add_up_to_the_gradient(example: object) -> None:
    loss, at = example()  # type: ignore[operator]
    for name, leaf in gx.leaves(loss).items():
        if leaf.kind == "parameter":
            p = paths(loss, leaf, at=at)
            assert np.allclose(sum(q.product for q in p), p.sum), name
            assert np.allclose(p.sum, gx.evaluate(gx.grad(loss, leaf), at))


def test_a_residual_chain_has_two_to_the_n_paths() -> None:
    x = gx.scalar("x")
    y = x
    for _ in range(10):
        y = y + gx.sin(y)
    p = paths(y, x, at={x: 0.3})
    assert len(p) == 2**10
    assert len(p.listed) == 64 == len(list(p))
    value, slope = 0.3, 1.0
    for _ in range(10):
        value, slope = value + np.sin(value), slope * (1 + np.cos(value))
    assert p.sum == pytest.approx(slope)
    assert "1024 paths, too many to list" in p.picture.tex
    with pytest.raises(IndexError, match="first 64 are listed"):
        p[100]
    with pytest.raises(IndexError, match="there are 1024 paths"):
        p[1024]


def test_paths_refuse() -> None:
    e, at = circuit()
    with pytest.raises(gx.DerivationError, match="does not depend on z"):
        paths(e, gx.scalar("z"), at=at)
    with pytest.raises(gx.DeclarationError, match="start from a tensor"):
        paths(e, "b")  # type: ignore[arg-type]
    x = gx.tensor("x", (2,))
    with pytest.raises(gx.DeclarationError, match="lead to one scalar"):
        paths(x * 2, x)
