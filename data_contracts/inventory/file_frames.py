"""A folder of recordings, pictures, documents or point clouds as a table: one row per file, with what the file's head says of it.

Heads only are read, whatever the files hold; a file that cannot be read is left out and named.
"""

import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from data_contracts.inventory.found import Said
from data_contracts.inventory.places import FileSet, Kind
from leitstand.errors import SourceError

MOST_PIXELS = 500_000_000  # of a picture's head; more is a decompression bomb, and only the head is read anyway
_PCD_TYPES = re.compile(r"^(FIELDS|POINTS|DATA|WIDTH|HEIGHT) (.*)$", re.MULTILINE)
_PLY_ELEMENT = re.compile(r"^element vertex (\d+)", re.MULTILINE)


def read_heads(files: FileSet) -> tuple[pd.DataFrame, tuple[Said, ...]]:
    """Return a row per readable file, and notes on those that are not.

    Raises
    ------
    SourceError
        If none can be read.
    """
    rows: list[dict[str, Any]] = []
    broken: list[tuple[Path, str]] = []
    for path in files.files:
        try:
            rows.append(_row(path, files.folder, _HEADS[files.kind]))
        except (
            OSError,
            ValueError,
            EOFError,
            KeyError,
            IndexError,
            AttributeError,
            TypeError,
            struct.error,
            zipfile.BadZipFile,
            RecursionError,
        ) as error:
            broken.append((path, " ".join(str(error).split())[:120] or type(error).__name__))
    if not rows:
        raise SourceError("inventory.unreadable", path=broken[0][0], detail=broken[0][1])
    frame = pd.DataFrame(rows).dropna(axis="columns", how="all")
    if frame["folder"].nunique() < 2:
        frame = frame.drop(columns="folder")
    first = [{"count": len(broken), "example": broken[0][0].name, "detail": broken[0][1]}] if broken else []
    return frame, tuple(Said("inventory.note_files_broken", values) for values in first)


def _row(path: Path, folder: Path, head: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    stat = path.stat()
    if stat.st_size == 0:
        raise ValueError("0 bytes")
    said = head(path)
    place = path.parent.relative_to(folder)
    changed = datetime.fromtimestamp(int(stat.st_mtime), UTC).replace(tzinfo=None)
    return {"file": str(path.relative_to(folder)), "folder": str(place), "bytes": stat.st_size, "changed_at": changed, **said}


def _audio(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        riff, _, wave = struct.unpack("<4sI4s", file.read(12))
        if riff not in (b"RIFF", b"RF64") or wave != b"WAVE":
            raise ValueError("no RIFF/WAVE head")
        channels = rate = bits = size = 0
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name == b"fmt ":
                _, channels, rate, _, _, bits = struct.unpack("<HHIIHH", file.read(16))
                file.seek(length - 16 + length % 2, 1)
            elif name == b"data":
                size = min(length, path.stat().st_size - file.tell())  # a recorder that was cut off leaves a wrong length
                break
            else:
                file.seek(length + length % 2, 1)
    if not (channels and rate and bits):
        raise ValueError("no format chunk")
    return {"duration_s": size / (rate * channels * bits / 8), "sample_rate_hz": rate, "channels": channels, "bits": bits}


def _image(path: Path) -> dict[str, Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oddities in heads: what can be read is told
            with Image.open(path) as image:
                taken = image.getexif().get(306)
                made = {"width": image.width, "height": image.height, "mode": image.mode, "has_place": 34853 in image.getexif()}
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(str(error).replace(str(path), path.name)) from error
    try:
        made["taken_at"] = datetime.strptime(str(taken), "%Y:%m:%d %H:%M:%S") if taken else None  # cameras tell no zone
    except ValueError:
        made["taken_at"] = None
    return made


def _pdf(path: Path) -> dict[str, Any]:
    import logging

    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it logs what it repairs
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            return {"pages": None, "encrypted": True, "has_text": None, "beginning": None}
        beginning = (reader.pages[0].extract_text() or "").strip() if reader.pages else ""
        return {
            "pages": len(reader.pages),
            "encrypted": False,
            "has_text": bool(beginning),
            "beginning": beginning[:2000] or None,
        }
    except (PyPdfError, RecursionError, NotImplementedError) as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _points(path: Path) -> dict[str, Any]:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        with path.open("rb") as file:
            shape, kind = _array_head(file)
        return {"points": shape[0] if shape else 1, "fields": str(shape[1:]), "encoding": kind}
    if suffix == ".xyz":
        return _xyz(path)
    with path.open("rb") as file:
        head = file.read(1 << 14).decode("latin-1")
    if suffix == ".pcd":
        said = dict(
            _PCD_TYPES.findall(head.partition("\nDATA")[0] + "\nDATA " + head.partition("\nDATA")[2].split("\n")[0].strip())
        )
        count = said.get("POINTS") or int(said["WIDTH"]) * int(said["HEIGHT"])
        return {"points": int(count), "fields": said["FIELDS"].strip(), "encoding": said["DATA"].strip()}
    if not head.startswith("ply") or not (found := _PLY_ELEMENT.search(head)):
        raise ValueError("no PLY head")
    fields = re.findall(r"^property \w+ (\w+)", head[found.end() : head.find("\nelement", found.end())], re.MULTILINE)
    encoding = re.search(r"^format (\S+)", head, re.MULTILINE)
    return {"points": int(found[1]), "fields": " ".join(fields), "encoding": encoding[1] if encoding else "?"}


def _xyz(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        lines, width = 0, 0
        while line := file.readline(1 << 16):
            values = line.split()
            if len(values) >= 3:
                [float(value) for value in values[:3]]
                width = width or len(values)
                lines += 1
    if not lines:
        raise ValueError("no line with three numbers")
    return {"points": lines, "fields": f"{width} columns", "encoding": "ascii"}


def _array_head(file: IO[bytes]) -> tuple[tuple[int, ...], str]:
    """Return shape and type of an array in NumPy's format; nothing of the array itself is read."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(file)
    return shape, str(kind)


def _arrays(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        shapes = []
        for name in archive.namelist():
            with archive.open(name) as member:
                shapes.append(_array_head(member)[0])
    values = sum(int(np.prod(shape)) for shape in shapes)
    return {
        "arrays": len(names),
        "names": " ".join(sorted(names)[:20]),
        "values": values,
        "longest": max((s[0] for s in shapes if s), default=1),
    }


_HEADS: dict[Kind, Callable[[Path], dict[str, Any]]] = {
    "audio": _audio, "image": _image, "pdf": _pdf, "point_cloud": _points, "arrays": _arrays,
}  # fmt: skip
