import contextlib
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from leitstand.errors import DataError
from leitstand.signals import (
    Sound,
    band_edges,
    crest_factor,
    describe_recordings,
    describe_sound,
    excess_kurtosis,
    log_band_spectrum,
    read_wav,
    rms,
    spectral_centroid,
    spectral_flatness,
    write_wav,
)

RATE = 8000


def tone(frequency: float, seconds: float = 1.0, rate: int = RATE, level: float = 0.5) -> Sound:
    time = np.arange(round(seconds * rate)) / rate
    return Sound(level * np.sin(2 * np.pi * frequency * time), rate)


def noise(seed: int = 0, rows: int = RATE) -> Sound:
    return Sound(np.random.default_rng(seed).normal(0, 0.1, rows), RATE)


def by_scipy(samples: np.ndarray, rate: int = RATE) -> bytes:
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, samples)
    return buffer.getvalue()


def wav(form: bytes, data: bytes, size: int | None = None, before: bytes = b"") -> bytes:
    """Return a WAV file built by hand."""
    chunks = struct.pack("<4sI", b"fmt ", len(form)) + form + before
    chunks += struct.pack("<4sI", b"data", len(data) if size is None else size) + data
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


def form(code: int = 1, channels: int = 1, bits: int = 16, rate: int = RATE) -> bytes:
    width = channels * bits // 8
    return struct.pack("<HHIIHH", code, channels, rate, rate * width, width, bits)


@given(st.lists(st.integers(-32767, 32767), min_size=256, max_size=400))
def test_what_is_written_is_read_again(tmp_path_factory, levels):
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    written = Sound(np.asarray(levels) / 32767, RATE)
    write_wav(path, written)
    read = read_wav(path)
    assert read.rate_hz == RATE
    np.testing.assert_allclose(read.samples, written.samples, atol=2 / 32768)


def test_what_is_written_is_what_scipy_reads(tmp_path):
    write_wav(tmp_path / "a.wav", tone(440))
    rate, samples = wavfile.read(tmp_path / "a.wav")
    assert rate == RATE
    assert samples.dtype == np.int16
    np.testing.assert_allclose(samples / 32767, tone(440).samples, atol=1e-4)


def test_samples_beyond_full_scale_are_clipped_when_written(tmp_path):
    write_wav(tmp_path / "a.wav", tone(440, level=3))
    assert np.abs(read_wav(tmp_path / "a.wav").samples).max() <= 1


@pytest.mark.parametrize(
    ("samples", "tolerance"),
    [
        (np.round(tone(300).samples * 127 + 128).astype(np.uint8), 0.02),
        ((tone(300).samples * 32767).astype(np.int16), 1e-4),
        ((tone(300).samples * (2**31 - 1)).astype(np.int32), 1e-8),
        (tone(300).samples.astype(np.float32), 1e-6),
        (tone(300).samples, 1e-12),
    ],
    ids=["8 bit", "16 bit", "32 bit", "float", "double"],
)
def test_every_width_is_read(samples, tolerance):
    np.testing.assert_allclose(read_wav(by_scipy(samples)).samples, tone(300).samples, atol=tolerance)


def test_24_bit_is_read():
    whole = np.round(tone(300).samples * (2**23 - 1)).astype("<i4")
    packed = whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    np.testing.assert_allclose(read_wav(wav(form(bits=24), packed)).samples, tone(300).samples, atol=1e-6)


def test_channels_are_averaged():
    stereo = np.column_stack([tone(300).samples, np.zeros(RATE)]).astype(np.float32)
    np.testing.assert_allclose(read_wav(by_scipy(stereo)).samples, tone(300).samples / 2, atol=1e-6)


def test_extensible_header_and_foreign_chunks_are_read():
    data = (tone(300).samples * 32767).astype("<i2").tobytes()
    extensible = form(code=0xFFFE) + struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    odd = struct.pack("<4sI", b"LIST", 3) + b"abc\x00"  # of odd length, hence a byte of padding
    np.testing.assert_allclose(read_wav(wav(extensible, data, before=odd)).samples, tone(300).samples, atol=1e-4)


def test_a_streamed_file_without_a_size_is_read_to_its_end():
    data = (tone(300).samples * 32767).astype("<i2").tobytes()
    assert len(read_wav(wav(form(), data, size=0xFFFFFFFF)).samples) == RATE


GOOD = by_scipy((tone(300).samples * 32767).astype(np.int16))


@pytest.mark.parametrize(
    ("content", "key", "says"),
    [
        (b"", "signals.not_wav", "0 bytes"),
        (b"ID3\x04 this is an mp3", "signals.not_wav", "is not a WAV file"),
        (GOOD[:-1000], "signals.truncated", "promises 16000 bytes of data, 15000 are there"),
        (GOOD[:30], "signals.truncated", "promises 16 bytes of fmt, 10 are there"),
        (GOOD[:36], "signals.no_chunk", "without its 'data' part"),
        (wav(form()[:8], bytes(2000)), "signals.truncated", "promises 16 bytes of fmt, 8 are there"),
        (wav(form(code=6, bits=8), bytes(2000)), "signals.encoding", "format 6 with 8 bits"),
        (wav(form(bits=12), bytes(2000)), "signals.encoding", "format 1 with 12 bits"),
        (wav(form(channels=0), bytes(2000)), "signals.encoding", "0 channels"),
        (wav(form(rate=0), bytes(2000)), "signals.encoding", "0 Hz"),
        (wav(form(), b""), "signals.empty", "holds 0 sample"),
        (wav(form(), bytes(200)), "signals.empty", "holds 100 sample"),
        (wav(form(code=3, bits=32), np.full(300, np.nan, "<f4").tobytes()), "signals.not_finite", "300 sample"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_clear_error(content, key, says):
    with pytest.raises(DataError, match=says) as caught:
        read_wav(content)
    assert caught.value.key == key
    assert caught.value.render("de") != str(caught.value)


@given(st.binary(max_size=400), st.integers(0, 60))
def test_no_bytes_whatever_end_in_another_error(garbage, keep):
    with contextlib.suppress(DataError):
        read_wav(GOOD[:keep] + garbage)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.wav does not exist"):
        read_wav(tmp_path / "gone.wav")


def test_the_name_of_the_broken_file_is_in_the_error(tmp_path):
    (tmp_path / "clip7.wav").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"clip7\.wav is not a WAV file"):
        read_wav(tmp_path / "clip7.wav")


def test_figures_of_a_sine_are_those_of_the_textbook():
    sine = tone(1000)
    assert rms(sine.samples) == pytest.approx(0.5 / np.sqrt(2), rel=1e-6)
    assert crest_factor(sine.samples) == pytest.approx(np.sqrt(2), rel=1e-6)
    assert excess_kurtosis(sine.samples) == pytest.approx(-1.5, abs=1e-6)
    assert spectral_centroid(sine) == pytest.approx(1000, abs=5)
    assert spectral_flatness(sine) < 0.01


def test_figures_of_white_noise_are_those_of_the_textbook():
    white = noise(rows=80_000)
    assert excess_kurtosis(white.samples) == pytest.approx(0, abs=0.05)
    assert spectral_centroid(white) == pytest.approx(2000, rel=0.02)
    assert spectral_flatness(white) > 0.9


def test_impacts_raise_kurtosis_and_crest_factor():
    hit = noise().samples.copy()
    hit[::800] += 2
    assert excess_kurtosis(hit) > excess_kurtosis(noise().samples) + 5
    assert crest_factor(hit) > 2 * crest_factor(noise().samples)


@pytest.mark.parametrize("frequency", [150, 440, 1000, 3100])
def test_a_tone_stands_in_the_band_of_its_frequency(frequency):
    spectrum = log_band_spectrum(tone(frequency), 12, 100, 4000)
    edges = band_edges(12, 100, 4000)
    loudest = int(np.argmax(spectrum))
    assert edges[loudest] <= frequency <= edges[loudest + 1]


def test_the_shares_of_all_bands_add_up_to_one():
    assert np.sum(10 ** (log_band_spectrum(noise(), 24, 100, 4000) / 10)) == pytest.approx(1)


@given(st.floats(0.01, 1.0), st.integers(0, 5))
def test_the_description_does_not_depend_on_the_volume(gain, seed):
    loud = noise(seed, 2000)
    quiet = Sound(loud.samples * gain, loud.rate_hz)
    first, second = (describe_sound(sound, 8, 100, 4000) for sound in (loud, quiet))
    np.testing.assert_allclose(list(second.values()), list(first.values()), rtol=1e-6, atol=1e-6)


def test_the_same_tone_at_two_sample_rates_sounds_the_same():
    low, high = (log_band_spectrum(tone(900, rate=rate), 12, 100, 4000) for rate in (8000, 16000))
    assert int(np.argmax(low)) == int(np.argmax(high))


def test_silence_is_described_by_finite_numbers():
    described = describe_sound(Sound(np.zeros(RATE), RATE), 8, 100, 4000)
    assert np.isfinite(list(described.values())).all()


def test_a_rate_that_cannot_hold_the_highest_band_is_refused():
    with pytest.raises(DataError, match=r"recorded at 4000 Hz; hearing up to 4000 Hz needs at least 8000 Hz"):
        describe_sound(tone(300, rate=4000), 8, 100, 4000)


def test_recordings_of_different_rates_are_refused():
    clips = [by_scipy((tone(300, rate=rate).samples * 9999).astype(np.int16), rate) for rate in (8000, 8000, 48000)]
    with pytest.raises(DataError, match="different sample rates: 8000, 48000 Hz"):
        describe_recordings(clips, 8, 100, 4000)


def test_bytes_and_path_of_one_recording_are_described_alike(tmp_path):
    write_wav(tmp_path / "a.wav", noise())
    described = describe_recordings(
        [tmp_path / "a.wav", str(tmp_path / "a.wav"), (tmp_path / "a.wav").read_bytes()], 8, 100, 4000
    )
    assert described.nunique().eq(1).all()


def test_real_recordings_of_machines_are_read_and_described():
    folder = os.environ.get("LEITSTAND_REAL_DATA")
    clips = sorted(Path(folder, "acoustic_maintenance", "mimii-sample").glob("*.wav")) if folder else []
    if not clips:
        pytest.skip("LEITSTAND_REAL_DATA has no mimii-sample")
    described = describe_recordings(clips, 24, 100, 4000)
    assert len(described) == 8
    assert np.isfinite(described.to_numpy()).all()
    assert described.round(6).drop_duplicates().shape[0] == 8
    for clip in clips:
        rate, samples = wavfile.read(clip)
        assert read_wav(clip).rate_hz == rate
        np.testing.assert_allclose(read_wav(clip).samples, samples / 32768, atol=1e-12)
