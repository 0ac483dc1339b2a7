"""Untrusted arrays: no pickle, no bomb, nothing but what the file states and holds."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest

from core.errors import ArtifactError
from core.untrusted import limits, npz_file


def header(shape: str, kind: str = "<f4", version: bytes = b"\x01\x00") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    width = 2 if version[0] == 1 else 4
    return b"\x93NUMPY" + version + len(text).to_bytes(width, "little") + text


def zipped(members: dict[str, bytes], way: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", way) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def one(content: bytes) -> bytes:
    return zipped({"a.npy": content})


def pickled() -> bytes:
    return header("()", "|O") + pickle.dumps([1, 2])


def encrypted() -> bytes:
    content = bytearray(zipped({"a.npy": header("(1,)") + b"1234"}, zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


CASES = {
    "nothing": (b"", "not a plain zip"),
    "no zip": (b"x" * 100, "not a plain zip"),
    "objects": (one(pickled()), "found elements of type object"),
    "a huge shape": (one(header("(10**15,)")), "its header is no array's|malformed"),
    "a huge number": (
        one(header("(1000000000000000,)") + b"1234"),
        "takes 4,000,000,000,000,000 bytes, found 4",
    ),
    "a negative axis": (one(header("(-1,)") + b"1234"), "found shape"),
    "a zero beside a huge one": (one(header("(0, -5)")), "found shape"),
    "more data than stated": (one(header("(1,)") + b"12345678"), "takes 4 bytes, found 5"),
    "code in the header": (one(header("__import__('os').getcwd()")), "malformed|no array"),
    "a deep header": (one(header("(" * 200 + ")" * 200)), ""),
    "a long header": (one(header("(" + "1," * 20_000 + ")")), "max_header_size"),
    "structures": (one(header("(1,)", "|V8") + b"12345678"), "found elements of type"),
    "another version": (one(header("(1,)", version=b"\x03\x00") + b"1234"), "found version"),
    "another compression": (zipped({"a.npy": header("(1,)")}, zipfile.ZIP_BZIP2), "compressed in a rare way"),
    "another member": (zipped({"a.txt": b"x"}), "a member is not an array"),
    "encrypted": (encrypted(), "a member is encrypted"),
    "many members": (zipped({f"{i}.npy": b"" for i in range(3000)}), "its list of members has"),
}


@pytest.mark.parametrize("case", CASES)
def test_arrays_that_are_refused(tmp_path, case):
    content, message = CASES[case]
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"a\.npz: cannot be read: .*({message})"):
        npz_file.read(tmp_path / "a.npz", ArtifactError)


def test_a_bomb_of_a_few_bytes_is_not_unpacked(tmp_path):
    half = limits.NPZ_BYTES // 2 + 1
    content = header(f"({half},)", "|u1") + bytes(half)
    (tmp_path / "a.npz").write_bytes(zipped({"a.npy": content, "b.npy": content}))
    assert (tmp_path / "a.npz").stat().st_size < 2**20
    with pytest.raises(ArtifactError, match=r"unpacks to .* bytes, expected at most"):
        npz_file.read(tmp_path / "a.npz", ArtifactError)


def test_a_duplicate_member(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", header("(0,)"))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", header("(0,)"))
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    with pytest.raises(ArtifactError, match="a duplicate member"):
        npz_file.read(tmp_path / "a.npz", ArtifactError)


def test_arrays_that_are_read_are_those_that_numpy_wrote(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "floats": random.standard_normal((3, 4)).astype(np.float32),
        "fortran": np.asfortranarray(random.standard_normal((3, 4))),
        "text": np.array(["joy", "grief"]),
        "none": np.zeros((0, 5), np.int64),
        "scalar": np.array(3),
        "bools": np.array([True, False]),
        "big": np.array([1, 2], ">i4"),
    }
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "a.npz", **arrays)
        found = npz_file.read(tmp_path / "a.npz", ArtifactError)
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
            assert found[name].flags.writeable


def test_one_array(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(npz_file.read_one(tmp_path / "a.npy", ArtifactError), array)
    (tmp_path / "a.npy").write_bytes(pickled())
    with pytest.raises(ArtifactError, match="not an array: found elements of type object"):
        npz_file.read_one(tmp_path / "a.npy", ArtifactError)
