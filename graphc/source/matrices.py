"""Linear algebra as NumPy source: the functions that a module needs, and the calls of them."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.matrices import singular_message
from graphc.expr.operation import Linalg

__all__ = ["MATRIX_HELPERS", "linalg_source"]

_SINGULAR = singular_message("{label}", 0, 1).removeprefix("{label}")

MATRIX_HELPERS: dict[str, str] = {
    "_finite": '''def _finite(x):
    """Square matrices in double precision, the identity for those with an entry that is not finite, and which are finite."""
    fine = np.isfinite(x).all(axis=(-2, -1))
    return np.where(fine[..., None, None], x, np.eye(x.shape[-1])).astype(np.float64), fine
''',
    "_inverse": f'''def _inverse(x, label):
    """The inverse of each matrix; where rounding decides every digit of it, the matrix is singular."""
    x, fine = _finite(x)
    flat = x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])
    result = np.zeros_like(flat)
    for k, a in enumerate(flat):
        try:
            result[k] = np.linalg.inv(a)
            spread = (np.abs(result[k]) * np.abs(a).T).sum(axis=-1)
            singular = np.any((spread >= 2.0**49) & (spread < np.inf))
        except np.linalg.LinAlgError:
            singular = True
        if singular:
            which = f"matrix {{k}} of {{label}}" if len(flat) > 1 else label
            raise np.linalg.LinAlgError(which + {_SINGULAR!r})
    return np.where(fine[..., None, None], result.reshape(x.shape), np.nan)
''',
    "_determinant": '''def _determinant(x):
    """The determinant of each matrix."""
    x, fine = _finite(x)
    return np.where(fine, np.linalg.det(x), np.nan)
''',
    "_logdet": '''def _logdet(x):
    """The logarithm of the absolute value of the determinant of each matrix."""
    x, fine = _finite(x)
    return np.where(fine, np.linalg.slogdet(x)[1], np.nan)
''',
    "_without": '''def _without(s):
    """The products of all entries but one along the last axis."""
    ones = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], axis=-1), axis=-1)
    return before * np.cumprod(np.concatenate([ones, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
''',
    "_left_out": '''def _left_out(s):
    """The entries along the last axis, each in turn replaced by 1."""
    return np.where(np.eye(s.shape[-1], dtype=bool), 1.0, s[..., None, :])
''',
    "_cofactor": '''def _cofactor(x, *directions):
    """The matrix of cofactors, differentiated along up to two directions: by the singular values, so also where x is singular."""
    x, fine = _finite(x)
    if not x.size:
        return np.zeros(x.shape)
    u, s, v = np.linalg.svd(x)
    eye = np.eye(s.shape[-1])
    turned = [np.swapaxes(u, -1, -2) @ h @ np.swapaxes(v, -1, -2) for h in directions]
    if not turned:
        inner = _without(s)[..., None, :] * eye
    elif len(turned) == 1:
        pairs, h = _without(_left_out(s)) * (1 - eye), turned[0]
        inner = np.einsum("...ab,...bb->...a", pairs, h)[..., None, :] * eye - pairs * np.swapaxes(h, -1, -2)
    else:
        apart = (1 - eye)[:, :, None] * (1 - eye)[:, None, :] * (1 - eye)
        triples, (h, k) = _without(_left_out(_left_out(s))) * apart, turned
        inner = np.einsum("...abc,...bb,...cc->...a", triples, h, k) - np.einsum("...abc,...bc,...cb->...a", triples, h, k)
        inner = inner[..., None, :] * eye
        for p, q in ((h, k), (k, h)):
            inner += np.einsum("...abc,...bc,...ca->...ab", triples, p, q) - np.einsum("...abc,...ba,...cc->...ab", triples, p, q)
    sign = np.round(np.linalg.det(u) * np.linalg.det(v))[..., None, None]
    return np.where(fine[..., None, None], sign * (u @ inner @ v), np.nan)
''',
}


def linalg_source(op: Linalg, operands: Sequence[str], floats: str) -> str:
    """The expression of one operation on arrays that the expressions in ``operands`` give."""
    given = [*operands, repr(op.label)] if op.kind == "inverse" else operands
    text = f"_{op.kind}({', '.join(given)})"
    return text if floats == "float64" else f"{text}.astype(np.float32)"
