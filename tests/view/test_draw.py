"""Pictures: what stands on them, what they look like to programs, and what is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader

import graphc as gx
from graphc.view import Picture, draw
from tests.view.examples import EXAMPLES, circuit, convolution, deep, network, recurrence, softmax_regression

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[2]
HOSTILE = ['a "b"', "{x}", "h\ni", "a<b>&c", "p|q", "class", "λ̃", "🙂 漢字", r"\frac{a}{", "$x_1^2$", "100%", "#~^", "a/b/", "--", "]]>", "%s %d {0}"]


def titles(picture: Picture) -> list[str]:
    root = ET.fromstring(picture.svg)
    return [t.text or "" for t in root.iter(f"{SVG}title")]


def title_of(picture: Picture, start: str) -> str:
    return next(t for t in titles(picture) if t.startswith(start))


CASES: list[tuple[str, dict[str, Any]]] = [
    (name, options)
    for name in EXAMPLES
    for options in ({}, {"view": "layer"}, {"at": True}, {"backward": True}, {"backward": True, "at": True}, {"style": "paper"})
    if not (options.get("backward") and name == "convolution")
]


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{'-'.join(map(str, o))}" for n, o in CASES])
def test_every_view_is_well_formed_and_stable(name: str, options: dict[str, Any]) -> None:
    pictures = []
    for _ in range(2):
        y, at = EXAMPLES[name]()
        pictures.append(draw(y, **(options | ({"at": at} if options.get("at") else {}))))
    first, second = pictures
    assert first.svg == second.svg
    assert first.dot == second.dot
    root = ET.fromstring(first.svg)
    assert root.attrib["role"] == "img"
    assert root.find(f"{SVG}title") is not None
    assert (root.findtext(f"{SVG}desc") or "").endswith(".")
    ids = [g.attrib["id"] for g in root.iter(f"{SVG}g")]
    nodes = [i for i in ids if not i.startswith(("edge-", "scope-"))]
    assert len(nodes) == len(set(nodes)), "node ids repeat"
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rect in root.iter(f"{SVG}rect"):
        x, y_, w, h = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
        assert x >= -0.5, "a shape leaves the picture"
        assert y_ >= -0.5
        assert x + w <= width + 0.5
        assert y_ + h <= height + 0.5


def _node_areas(picture: Picture) -> dict[str, tuple[float, float, float, float]]:
    root = ET.fromstring(picture.svg)
    areas: dict[str, tuple[float, float, float, float]] = {}
    kinds = {"input", "parameter", "constant", "value", "operation", "output", "layer", "folded", "adjoint"}
    for group in root.iter(f"{SVG}g"):
        if group.attrib["class"].removeprefix("gc-") in kinds:
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y, w, h = (float(rect.attrib[k]) for k in ("x", "y", "width", "height"))
            areas[group.attrib["id"]] = (x, y, x + w, y + h)
    return areas


@pytest.mark.parametrize("options", [{}, {"backward": True, "at": True}, {"backward": True}])
@pytest.mark.parametrize("name", ["circuit", "two_paths", "network", "softmax_regression", "deep", "recurrence"])
def test_nodes_do_not_overlap(name: str, options: dict[str, Any]) -> None:
    y, at = EXAMPLES[name]()
    areas = list(_node_areas(draw(y, **(options | ({"at": at} if options.get("at") else {})))).items())
    assert len(areas) > 3
    for k, (a, (ax0, ay0, ax1, ay1)) in enumerate(areas):
        for b, (bx0, by0, bx1, by1) in areas[k + 1 :]:
            assert ax1 <= bx0 or bx1 <= ax0 or ay1 <= by0 or by1 <= ay0, f"{a} and {b} overlap"


def test_another_hash_seed_gives_the_same_bytes() -> None:
    program = (
        "from tests.view.examples import *; from graphc.view import draw; import hashlib\n"
        "for f in (circuit, network): y, at = f(); [print(hashlib.sha256(p.svg.encode() + p.dot.encode() + p.tex.encode()).hexdigest())"
        " for p in (draw(y), draw(y, backward=True), draw(y, backward=True, at=at))]"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("1", "77")
    }  # fmt: skip
    assert len(seen) == 1
    assert len(next(iter(seen)).split()) == 6


def test_values_gradients_and_local_derivatives_of_the_circuit() -> None:
    e, at = circuit()
    picture = draw(e, backward=True, at=at)
    for name, value, gradient in (("a", 2, 2), ("b", 1, 5)):
        assert title_of(picture, f"input {name}") == f"input {name}, value {value}, gradient ∂e/∂{name} = {gradient}"
    for name, value, gradient in (("c", 3, 2), ("d", 2, 3), ("e", 6, 1)):
        assert title_of(picture, f"tensor {name}") == f"tensor {name}, value {value}, gradient ∂e/∂{name} = {gradient}"
    edges = [t for t in titles(picture) if "goes into" in t]
    assert "c goes into ×; ∂e/∂c = d = 2" in edges
    assert "d goes into ×; ∂e/∂d = c = 3" in edges
    assert sum(t.endswith("= 1") for t in edges) == 3
    assert "E is × of c and d." in picture.description


def test_local_derivatives_of_unnamed_steps() -> None:
    x1, x2 = gx.scalars("x1 x2")
    picture = draw(gx.exp(x1) * x2, backward=True, at={x1: 0.5, x2: 3})
    edges = [t for t in titles(picture) if "goes into" in t]
    slope = np.exp(0.5)
    assert any(t.startswith("x1 goes into exp; local derivative") and t.endswith(f"{slope:.4g}") for t in edges)
    assert any("x2 goes into ×" in t and t.endswith(f"{slope:.4g}") for t in edges)


def test_nothing_is_written_that_was_not_computed() -> None:
    e, at = circuit()
    assert not any("value" in t or "gradient" in t for t in titles(draw(e)))
    assert not any("gradient" in t for t in titles(draw(e, at=at)))


def test_softmax_is_one_node_and_literals_stay_in_their_operation() -> None:
    loss, _ = softmax_regression()
    operations = [t for t in titles(draw(loss)) if t.startswith("operation")]
    assert operations.count("operation softmax") == 1
    assert len(operations) == 8
    e, _ = circuit()
    assert "operation + 1" in titles(draw(e))


def test_a_defined_stage_shows_its_formula() -> None:
    y, _ = convolution()
    picture = draw(y)
    assert r"\sum" in picture.tex
    assert "X_{" in picture.tex
    assert "K_{" in picture.tex


def test_the_backward_graph_has_an_adjoint_for_every_variable() -> None:
    loss, _ = network()
    picture = draw(loss, backward=True)
    found = [t for t in titles(picture) if t.startswith("∂L/∂") and (", from" in t or "is 1" in t)]
    assert {t.split(",")[0].split(" ")[0] for t in found} == {f"∂L/∂{n}" for n in ("W1", "b1", "W2", "b2", "z", "h", "y_hat", "L")}
    reads = {t for t in titles(picture) if " reads " in t}
    assert {"∂L/∂W1 reads x", "∂L/∂W2 reads h", "∂L/∂h reads W2", "∂L/∂z reads h", "∂L/∂y_hat reads y"} <= reads
    assert r"\odot \left(1 - h^{2}\right)" in picture.tex
    assert r"{x}^{\top} \, \frac{\partial L}{\partial z}" in picture.tex


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_works_everywhere(name: str, tmp_path: Path) -> None:
    pygraphviz = pytest.importorskip("pygraphviz")
    x = gx.tensor(name, (2,))
    y = gx.sum((x * 2).named(name + "²")).named("out " + name)
    picture = draw(y, at={x: [1.0, 2.0]})
    ET.fromstring(picture.svg)
    for suffix in (".png", ".pdf", ".tex", ".html"):
        assert picture.save(tmp_path / f"p{suffix}").stat().st_size > 500
    graph = pygraphviz.AGraph(string=picture.dot)
    assert len(graph.nodes()) == 5
    assert len(graph.edges()) == 4
    labels = [n.attr["label"] for n in graph.nodes()]
    shown = " ".join(name.split()) if name.isprintable() else None
    if shown and not any(c in shown for c in '\\<&"'):
        assert any(shown in label for label in labels), labels


def test_file_types(tmp_path: Path) -> None:
    e, at = circuit()
    picture = draw(e, backward=True, at=at)
    width, height = (float(v) for v in re.findall(r'(?:width|height)="([\d.]+)"', picture.svg)[:2])
    png = picture.save(tmp_path / "e.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    size = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    assert abs(size[0] - 2 * width) <= 2
    assert abs(size[1] - 2 * height) <= 2
    (page_of_pdf,) = PdfReader(picture.save(tmp_path / "e.pdf")).pages
    assert sum(operator in (b"f", b"f*", b"S", b"s", b"B", b"B*") for _, operator in page_of_pdf.get_contents().operations) > 40  # paths drawn
    assert len(page_of_pdf.images) == 0
    assert picture.save(tmp_path / "e.pdf").read_bytes() == picture.save(tmp_path / "f.pdf").read_bytes()
    assert picture.save(str(tmp_path / "e.svg")).read_text(encoding="utf-8") == picture.svg
    page = picture.save(tmp_path / "e.html").read_text(encoding="utf-8")
    assert picture.svg in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    tex = picture.save(tmp_path / "e.tex").read_text(encoding="utf-8")
    assert tex.count("{") == tex.count("}")
    assert r"\frac{\partial e}{\partial c}" in tex
    assert picture.save(tmp_path / "e.dot").read_text(encoding="utf-8") == picture.dot


def test_notebook_bundle() -> None:
    e, _ = circuit()
    picture = draw(e)
    bundle = picture._repr_mimebundle_()
    assert bundle["image/svg+xml"] == picture.svg
    assert picture.svg in bundle["text/html"]
    assert "<Picture" in bundle["text/plain"]


def test_light_and_dark_in_one_file() -> None:
    e, _ = circuit()
    assert "prefers-color-scheme:dark" in draw(e).svg
    for style in ("dark", "paper", "contrast", "light"):
        assert "<style>" not in draw(e, style=style).svg
    assert draw(e, style="dark").svg != draw(e, style="paper").svg
    colours = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', draw(e, style="paper").svg))
    assert all(c[1:3] == c[3:5] == c[5:7] for c in colours), "paper is black, grey and white"


def test_kinds_differ_by_more_than_colour() -> None:
    from graphc.view.styles import SHAPES

    looks = [SHAPES[k] for k in ("input", "parameter", "constant", "state", "random", "value", "output", "operation", "adjoint", "folded")]
    assert len(set(looks)) == len(looks)


def test_large_graphs_fold_by_scope_and_say_so() -> None:
    loss, at = deep()
    picture = draw(loss)
    assert "64 nodes: each scope is folded into one node" in picture.description
    assert sum(t.startswith("scope block") for t in titles(picture)) == 12
    assert "3 operations, 20 parameters" in title_of(picture, "scope block0")
    assert draw(loss, at=at).svg != picture.svg


def test_layers_have_shapes_and_parameter_counts() -> None:
    loss, _ = deep(3)
    found = titles(draw(loss, view="layer"))
    assert "block0: @ → + → ReLU, n × 4, 20 parameters" in found
    assert "60 parameters in all" in draw(loss, view="layer").tex


def test_neurons() -> None:
    x = gx.tensor("x", ("n", 20))
    W, V = gx.parameter("W", (20, 5), init=0.5), gx.parameter("V", (5, 1), init=-0.5)
    y = gx.sigmoid(gx.tanh(x @ W).named("h") @ V).named("p")
    picture = draw(y, view="neuron")
    assert "20 units of input; 5 units of tanh; 1 units of σ" in picture.description
    root = ET.fromstring(picture.svg)
    lines = {g.attrib["id"]: list(g.iter(f"{SVG}path")) for g in root.iter(f"{SVG}g") if g.attrib["id"].startswith("weights")}
    assert len(lines["weights-1"]) == 6 * 5, "a wide layer is shortened"
    assert len(lines["weights-2"]) == 5
    assert {p.attrib["class"] for p in lines["weights-1"]} == {"l-positive"}
    assert {p.attrib["class"] for p in lines["weights-2"]} == {"l-negative"}
    assert all("stroke-dasharray" in p.attrib for p in lines["weights-2"])
    assert draw(y, view="neuron", at={x: np.ones((1, 20))}).svg != picture.svg
    assert "unit-2-0" in picture.dot
    e, _ = circuit()
    with pytest.raises(gx.DeclarationError, match="dense layers"):
        draw(e, view="neuron")


def test_several_targets_and_models() -> None:
    x = gx.scalar("x")
    pair = [(x + 1).named("u"), (x * 2).named("v")]
    assert "Computational graph of u and v" in titles(draw(pair))
    assert draw(SimpleNamespace(inputs=[x], outputs=pair)).svg == draw(pair).svg
    assert draw(SimpleNamespace(outputs=pair[0])).svg == draw(pair[0]).svg


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"view": "tree"}, gx.DeclarationError, "'op', 'layer', 'neuron'"),
        ({"style": "neon"}, gx.DeclarationError, "'default', 'light', 'dark', 'paper', 'contrast'"),
        ({"at": {}}, gx.DataError, r"^a .*has no value"),
        ({"at": 3}, gx.DataError, "no mapping"),
        ({"at": {"a": 1}}, gx.DataError, "no tensor"),
    ],
)
def test_refusals(options: dict[str, Any], error: type[Exception], words: str) -> None:
    e, _ = circuit()
    with pytest.raises(error, match=words):
        draw(e, **options)


def test_refused_targets_and_files(tmp_path: Path) -> None:
    e, _ = circuit()
    with pytest.raises(gx.DeclarationError, match=r"'\.svg', '\.png', '\.pdf', '\.dot', '\.html', '\.tex'"):
        draw(e).save(tmp_path / "e.jpg")
    for target in (3, [], "e", SimpleNamespace(outputs=None)):
        with pytest.raises(gx.DeclarationError):
            draw(target)
    x = gx.tensor("x", (3,))
    for at in (None, {x: [1, 2, 3]}):
        with pytest.raises(gx.DeclarationError, match="scalar"):
            draw(x * 2, backward=True, at=at)


def test_gradient_graphs_and_repeated_names_draw() -> None:
    loss, _ = network()
    W1 = gx.leaves(loss)["W1"]
    assert "∂L/∂W1" in draw(gx.grad(loss, W1)).description
    x = gx.scalar("x")
    twice = ((x + 1).named("h") * 2).named("h")
    assert {"tensor h", "tensor h_1"} <= set(titles(draw(twice)))


def test_leaf_kinds() -> None:
    s, c = gx.state("s", (2,)), gx.constant([1.0, 2.0], name="c")
    y = gx.sum(s + c + gx.random.normal((2,)) + gx.constant([[1.0, 2.0], [3.0, 4.0]]))
    root = ET.fromstring(draw(y).svg)
    kinds = {g.attrib["class"] for g in root.iter(f"{SVG}g")}
    assert {"gc-state", "gc-constant", "gc-random", "gc-output"} <= kinds


def test_a_model_of_layers() -> None:
    model = gx.Sequential([gx.layers.Dense(4, activation="relu"), gx.layers.Dropout(0.5), gx.layers.Dense(1, activation="sigmoid")])
    with pytest.raises(gx.GraphcError, match="build"):
        draw(model)
    model.build((None, 3))
    picture = draw(model)
    assert {"scope dense", "scope dense_1", "operation ReLU", "operation dropout"} <= set(titles(picture))
    assert not any(t.startswith("tensor dense,") for t in titles(picture)), "a layer's result needs no box of the layer's name"
    layers = titles(draw(model, view="layer"))
    assert {"dense: Dense, @ → + → ReLU, n × 4, 16 parameters", "dense_1: Dense, @ → + → σ, n × 1, 5 parameters"} <= set(layers)
    assert "3 units of input; 4 units of ReLU, dropout; 1 units of σ" in draw(model, view="neuron").description


def test_large_values_are_summarised() -> None:
    x = gx.tensor("x", ("n", 50))
    picture = draw((x * 2).named("y"), at={x: np.arange(100.0).reshape(2, 50)})
    assert title_of(picture, "input x") == "input x, shape n × 50, value 2 × 50, mean 49.5; 0 to 99"
    assert title_of(picture, "tensor y").endswith("value 2 × 50, mean 99; 0 to 198")


def test_copies_that_nobody_wrote_are_not_drawn() -> None:
    loss, _ = network()
    gradient = gx.grad(loss, gx.leaves(loss)["W1"])
    assert r"$\cdot_{ij}$" not in draw(gradient).tex
    assert "1 - \\tanh^{2}" in draw(gradient).tex


def test_the_softmax_gradient_is_a_closed_form() -> None:
    loss, _ = softmax_regression()
    tex = draw(loss, backward=True).tex
    assert r"\odot {p}" in tex
    assert r"\right)^{\!\top}" not in tex, "no Jacobian is left unnamed"


def test_a_recurrence_is_a_frame_around_one_iteration() -> None:
    loss, at = recurrence()
    found = titles(draw(loss))
    assert "scope repeat for t = 1 … T" in found
    assert {"carry h at t-1", "item x at t", "h at t-1 of the next iteration", "h0 starts h at t-1", "x gives x at t", "the last of h"} <= set(found)
    assert not any(t.startswith("scope") for t in titles(draw(loss, at=at))), "with values it is one node"
    assert "∂L/∂W" in draw(loss, backward=True).description


def test_recurrences_of_every_kind_draw() -> None:
    x, y = gx.tensor("x", ("T",)), gx.tensor("y", ("T",))
    (a, b), out = gx.scan(lambda c, i: ((c[0] + i[0], c[1] * i[1]), c[0]), (x, y), (0.0, 1.0), reverse=True)
    picture = draw([a, b, out])
    assert "scope repeat for t = T … 1" in titles(picture)
    assert sum(t.endswith("of the next iteration") for t in titles(picture)) == 2
    assert picture.svg == draw([a, b, out]).svg
    _, nested = gx.scan(lambda c, i: (c + i, gx.cumsum(x * i)), y, 0.0)
    assert ET.fromstring(draw(gx.sum(nested)).svg) is not None


def test_the_mask_of_a_dropout_stands_in_its_gradient() -> None:
    x, W = gx.tensor("x", ("n", 3)), gx.parameter("W", (3, 3), init=0.1)
    loss = gx.mean(gx.nn.dropout(gx.relu(x @ W).named("h"), 0.5) ** 2).named("L")
    tex = draw(loss, backward=True).tex
    assert r"\odot {r}" in tex
    assert r"\mathbf{1}[z > 0]" in tex
    assert r"{x}^{\top} \, \frac{\partial L}{\partial z}" in tex


def test_no_gradient_is_defined_by_itself() -> None:
    for example in EXAMPLES.values():
        loss, _ = example()
        if not loss.ndim:
            for formula in re.findall(r"\{\$(.+)\$\}", draw(loss, backward=True).tex):
                left, _, right = formula.partition(" = ")
                assert left != right.strip("{}"), formula


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    x = gx.tensor("x", (3,))
    drawn = (draw(gx.sum(x**2)), gx.frames(gx.sum(x**2).named("L"), at={x: np.ones(3)}))
    for picture in drawn:
        with pytest.raises(gx.DataError, match="nodir does not exist; make it first"):
            picture.save(tmp_path / "nodir" / "q.svg")
        assert picture.save(tmp_path / "q.svg").stat().st_size > 100
