"""Writes pictures as PNG, and draws a curve as one, with nothing but zlib and NumPy."""

import struct
import zlib
from pathlib import Path

import numpy as np


def write_png(path: Path, picture: np.ndarray) -> None:
    """Writes a float picture of shape (height, width, 3), values 0 to 1."""
    pixels = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    height, width, _ = pixels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def curve(values: list[float], height: int, width: int) -> np.ndarray:
    """The values' logarithms as a line over a grid with one line per factor of ten; 4x supersampled."""
    scale = 4
    paper, grid, ink = (
        np.array([0.97, 0.96, 0.94]),
        np.array([0.84, 0.83, 0.82]),
        np.array([0.80, 0.30, 0.16]),
    )
    canvas = np.broadcast_to(paper, (height * scale, width * scale, 3)).copy()
    logs = np.log10(np.maximum(values, 1e-12))
    low, high = np.floor(logs.min()), np.ceil(logs.max())
    margin = 0.08 * height * scale
    rise = (height * scale - 2 * margin) / max(high - low, 1)
    for decade in np.arange(low, high + 1):
        y = int(height * scale - margin - (decade - low) * rise)
        canvas[y - 1 : y + 2, int(margin) : int(width * scale - margin)] = grid
    across = np.arange(int(margin), int(width * scale - margin))
    at = np.interp(across, np.linspace(across[0], across[-1], len(logs)), logs)
    tops = height * scale - margin - (at - low) * rise
    rows = np.arange(height * scale)[:, None]
    reach = 3.5 * np.hypot(1, np.gradient(tops))  # a steep line covers more of a column
    canvas[:, across] = np.where((np.abs(rows - tops) <= reach)[..., None], ink, canvas[:, across])
    return canvas.reshape(height, scale, width, scale, 3).mean(axis=(1, 3))


def side_by_side(pictures: list[np.ndarray], gap: int = 8) -> np.ndarray:
    """Pictures of one height in a row on white, with gaps between and around them."""
    height = pictures[0].shape[0]
    bar = np.ones((height, gap, 3))
    row = np.concatenate([bar, *(part for picture in pictures for part in (picture, bar))], axis=1)
    edge = np.ones((gap, row.shape[1], 3))
    return np.concatenate([edge, row, edge])
