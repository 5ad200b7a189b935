"""Sound and vibration: reading WAV recordings and describing them by a few numbers.

Everything here is a pure function of the samples. The description does not depend on how loud the recording is: moving the
microphone or turning its gain must not look like wear.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import welch

from leitstand.errors import DataError

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN_SIZE = 0xFFFFFFFF  # what programs write that stream a WAV and cannot go back to fill the size in
FEWEST_SAMPLES = 256  # fewer give no spectrum worth the name
FLOOR_DB = -120.0  # of a band without any power; below what 16 bits can hold


@dataclass(frozen=True)
class Sound:
    """One recording.

    Parameters
    ----------
    samples : shape (n,), all channels averaged, full scale is ±1
    rate_hz : samples per second
    name : what errors call it
    """

    samples: np.ndarray
    rate_hz: int
    name: str = "recording"


def read_wav(source: str | Path | bytes) -> Sound:
    """Read a WAV file: PCM of 8, 16, 24 or 32 bits or float of 32 or 64 bits, any number of channels.

    The format is the one of Microsoft & IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991), with the
    extensible header of 2001. It is read here and not with ``scipy.io.wavfile``, which only warns about a file that ends early.

    Parameters
    ----------
    source : path of the file, or its bytes

    Raises
    ------
    DataError
        If the file is missing, no WAV, cut off, in an unknown encoding, empty, or holds infinite samples.
    """
    if isinstance(source, bytes):
        return _decode(source, "uploaded.wav")
    try:
        return _decode(Path(source).read_bytes(), str(source))
    except OSError as error:
        raise DataError("signals.missing", name=source, detail=error.strerror or type(error).__name__) from error


def write_wav(path: Path, sound: Sound) -> None:
    """Write a mono WAV file of 16-bit PCM; samples beyond ±1 are clipped."""
    samples = np.round(np.clip(sound.samples, -1, 1) * 32767).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, PCM, 1, sound.rate_hz, 2 * sound.rate_hz, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    path.write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)


def _decode(content: bytes, name: str) -> Sound:
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise DataError("signals.not_wav", name=name, found=repr(content[:12])[1:] if content else "0 bytes")
    chunks = _chunks(content, name)
    for part in ("fmt ", "data"):
        if part not in chunks:
            raise DataError("signals.no_chunk", name=name, part=part.strip())
    form = chunks["fmt "]
    if len(form) < 16:
        raise DataError("signals.truncated", name=name, part="fmt", expected=16, found=len(form))
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if code == EXTENSIBLE and len(form) >= 26:
        code = struct.unpack("<H", form[24:26])[0]  # the first two bytes of the sub-format's GUID
    if channels == 0 or rate == 0:
        raise DataError("signals.encoding", name=name, found=f"{channels} channels, {rate} Hz")
    samples = _samples(chunks["data"], code, bits, name)
    whole = len(samples) // channels * channels
    mono = samples[:whole].reshape(-1, channels).mean(axis=1)
    if len(mono) < FEWEST_SAMPLES:
        raise DataError("signals.empty", name=name, found=len(mono), expected=FEWEST_SAMPLES)
    if not np.isfinite(mono).all():
        raise DataError("signals.not_finite", name=name, found=int((~np.isfinite(mono)).sum()))
    return Sound(mono, rate, name)


def _chunks(content: bytes, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    place = 12
    while place + 8 <= len(content):
        part = content[place : place + 4].decode("latin-1")
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        body = content[place + 8 : place + 8 + size]
        if part in ("fmt ", "data"):
            if len(body) < size and size != UNKNOWN_SIZE:
                raise DataError("signals.truncated", name=name, part=part.strip(), expected=size, found=len(body))
            found.setdefault(part, body)
        place += 8 + size + size % 2  # chunks begin at even places
    return found


def _samples(data: bytes, code: int, bits: int, name: str) -> np.ndarray:
    data = data[: len(data) // max(bits // 8, 1) * max(bits // 8, 1)]
    if code == FLOAT and bits in (32, 64):
        return np.frombuffer(data, f"<f{bits // 8}").astype(float)
    if code != PCM or bits not in (8, 16, 24, 32):
        raise DataError("signals.encoding", name=name, found=f"format {code} with {bits} bits")
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(float) - 128) / 128
    if bits == 24:
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        return padded.reshape(-1).view("<i4").astype(float) / 2**31
    return np.frombuffer(data, f"<i{bits // 8}").astype(float) / 2.0 ** (bits - 1)


def rms(samples: np.ndarray) -> float:
    """Return the root mean square, in the samples' unit."""
    return float(np.sqrt(np.mean(np.square(samples))))


def crest_factor(samples: np.ndarray) -> float:
    """Return peak over root mean square (ISO 13373-1, vibration monitoring); 0 of silence."""
    level = rms(samples)
    return float(np.max(np.abs(samples)) / level) if level > 0 else 0.0


def excess_kurtosis(samples: np.ndarray) -> float:
    """Return the fourth standardised moment less 3: 0 for Gaussian noise and silence, high for impacts.

    Dyer & Stewart, Detection of rolling element bearing damage by statistical vibration analysis, J. Mech. Design 100 (1978).
    """
    centred = samples - samples.mean()
    variance = float(np.mean(centred**2))
    return float(np.mean(centred**4) / variance**2 - 3) if variance > 1e-20 else 0.0


def power_spectrum(sound: Sound, resolution_hz: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies in Hz and power density per Hz.

    Averaged over half-overlapping Hann windows (Welch, IEEE Trans. Audio Electroacoust. 15, 1967).

    Parameters
    ----------
    resolution_hz : distance of the frequencies; a recording too short for it gets a coarser one
    """
    window = min(len(sound.samples), max(FEWEST_SAMPLES, round(sound.rate_hz / resolution_hz)))
    frequencies, density = welch(sound.samples, fs=sound.rate_hz, nperseg=window)
    return np.asarray(frequencies), np.asarray(density)


def band_edges(bands: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Return shape (bands + 1,): edges in Hz of bands that are equally wide to the ear (in octaves)."""
    return np.geomspace(low_hz, high_hz, bands + 1)


def log_band_spectrum(sound: Sound, bands: int, low_hz: float, high_hz: float) -> np.ndarray:
    """Return shape (bands,): each band's share of the power between ``low_hz`` and ``high_hz``, in dB, at least ``FLOOR_DB``.

    Raises
    ------
    DataError
        If the recording's sample rate cannot hold ``high_hz`` (Nyquist).
    """
    if high_hz > sound.rate_hz / 2:
        raise DataError("signals.rate_too_low", name=sound.name, found=sound.rate_hz, high=high_hz, expected=round(2 * high_hz))
    frequencies, density = power_spectrum(sound)
    # Power up to each edge by interpolation, so that a band narrower than the resolution has its part too.
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(frequencies))])
    power = np.diff(np.interp(band_edges(bands, low_hz, high_hz), frequencies, below))
    total = power.sum()
    if total <= 0:
        return np.full(bands, FLOOR_DB)
    return np.asarray(10 * np.log10(np.maximum(power / total, 10 ** (FLOOR_DB / 10))))


def spectral_centroid(sound: Sound) -> float:
    """Return the mean frequency weighted by power, in Hz (Peeters, A large set of audio features, IRCAM 2004); 0 of silence."""
    frequencies, density = power_spectrum(sound)
    total = density.sum()
    return float((frequencies * density).sum() / total) if total > 0 else 0.0


def spectral_flatness(sound: Sound) -> float:
    """Return geometric over arithmetic mean power: 0 (a tone, silence) to 1 (white noise); Johnston, IEEE JSAC 6 (1988)."""
    _, density = power_spectrum(sound)
    mean = density[1:].mean()  # without the offset at 0 Hz
    return float(np.exp(np.mean(np.log(density[1:] / mean + 1e-12)))) if mean > 0 else 0.0


def describe_sound(sound: Sound, bands: int, low_hz: float, high_hz: float) -> dict[str, float]:
    """Return what a model hears, whatever the volume: log band spectrum, crest factor, log kurtosis, centroid and flatness.

    Raises
    ------
    DataError
        As ``log_band_spectrum`` does.
    """
    spectrum = log_band_spectrum(sound, bands, low_hz, high_hz)
    centres = np.sqrt(band_edges(bands, low_hz, high_hz)[1:] * band_edges(bands, low_hz, high_hz)[:-1])
    described = {f"band_{centre:.0f}_hz_db": float(value) for centre, value in zip(centres, spectrum, strict=True)}
    described["crest_factor"] = crest_factor(sound.samples)
    described["log_kurtosis"] = float(np.log(max(excess_kurtosis(sound.samples) + 3, 1e-3)))
    described["centroid_hz"] = spectral_centroid(sound)
    described["flatness"] = spectral_flatness(sound)
    return described


def describe_recordings(sources: Iterable[str | Path | bytes], bands: int, low_hz: float, high_hz: float) -> pd.DataFrame:
    """Return one row per recording with the columns of ``describe_sound``.

    Parameters
    ----------
    sources : paths of WAV files, or their bytes
    bands : how many, equally wide in octaves
    low_hz, high_hz : what part of the sound is heard

    Raises
    ------
    DataError
        If a recording cannot be read, or their sample rates differ: the rate, not the machine, would tell them apart.
    """
    rows: list[dict[str, float]] = []
    rates: set[int] = set()
    for source in sources:
        sound = read_wav(source)
        rates.add(sound.rate_hz)
        if len(rates) > 1:
            raise DataError("signals.mixed_rates", found=", ".join(str(rate) for rate in sorted(rates)))
        rows.append(describe_sound(sound, bands, low_hz, high_hz))
    return pd.DataFrame(rows)
