"""fetch_imdb on archives and files made here, and on the real reviews."""

import hashlib
import io
import json
import lzma
import os
import pickle
import re
import tarfile
import tracemalloc
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from crnn._system.archive import write_archive as write_sealed
from crnn.datasets import fetch_imdb
from crnn.datasets._imdb import sources

WORD_INDEX = {"the": 1, "film": 2, "not": 3, "good": 4, "bad": 5, "isn't": 6, "br": 7}
REVIEWS = {
    "train/neg/0_1.txt": "Not good.<br />BAD film!",
    "train/neg/1_2.txt": "isn't(good) zzz\tthe\nfilm",
    "train/pos/0_9.txt": "not bad, not bad",
    "test/pos/7_10.txt": "Good good",
}
IDS = {
    "Not good.<br />BAD film!": [1, 6, 7, 10, 8, 5],
    "isn't(good) zzz\tthe\nfilm": [1, 9, 7, 4, 5],
    "not bad, not bad": [1, 6, 8, 6, 8],
    "Good good": [1, 7, 7],
}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """An empty user folder, and no network."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.delenv("CRNN_DATA", raising=False)

    def no_network(url, **_):
        raise URLError("no route")

    monkeypatch.setattr(sources, "fetch_file", no_network)
    return folder


def write_archive(path, reviews=REVIEWS, extra=()):
    members = [(f"aclImdb/{name}", text.encode()) for name, text in reviews.items()]
    with tarfile.open(path, f"w:{path.suffix[1:]}") as tar:
        for name, content in [*members, *extra]:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(params=["tar.gz", "tar.xz", "folder"])
def data_home(request, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "imdb_word_index.json").write_text(json.dumps(WORD_INDEX))
    if request.param == "folder":
        for name, text in REVIEWS.items():
            path = folder / "aclImdb" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    else:
        write_archive(folder / f"aclImdb_small.{request.param}")
    return folder


def as_pairs(data, target):
    return sorted((list(ids), int(label)) for ids, label in zip(data, target, strict=True))


def test_ids_of_known_texts(data_home):
    texts, target = fetch_imdb(data_home=data_home, raw=True, return_X_y=True)
    first = fetch_imdb(data_home=data_home)
    assert [ids.tolist() for ids in first.data] == [IDS[text] for text in texts]
    assert all(ids.dtype == np.int32 for ids in first.data)
    assert first.target.tolist() == target.tolist()
    assert as_pairs(first.data, target) == sorted(
        (IDS[text], int("/pos/" in name)) for name, text in REVIEWS.items() if "train" in name
    )
    assert first.target_names == ["neg", "pos"]
    assert first.word_index == WORD_INDEX
    assert "3 training and 1 test reviews" in first.DESCR


def test_the_cache_gives_the_same_without_the_source(data_home):
    first = fetch_imdb(data_home=data_home, subset="all")
    for path in sorted(data_home.rglob("*"), reverse=True):
        if path.name != "crnn_imdb_ids.npz":
            path.rmdir() if path.is_dir() else path.unlink()
    again = fetch_imdb(data_home=data_home, subset="all", download_if_missing=False)
    assert [ids.tolist() for ids in again.data] == [ids.tolist() for ids in first.data]
    assert again.target.tolist() == first.target.tolist()
    assert again.DESCR == first.DESCR
    assert again.word_index is None
    assert os.listdir(data_home) == ["crnn_imdb_ids.npz"]
    parts = [fetch_imdb(data_home=data_home, subset=subset) for subset in ("train", "test")]
    joined = [ids.tolist() for part in parts for ids in part.data]
    assert joined == [ids.tolist() for ids in first.data]


def test_num_words_and_maxlen(data_home):
    whole, _ = fetch_imdb(data_home=data_home, return_X_y=True)
    cut, _ = fetch_imdb(data_home=data_home, return_X_y=True, num_words=8, maxlen=3)
    for ids, expected in zip(cut, whole, strict=True):
        assert ids.tolist() == [id_ if id_ < 8 else 2 for id_ in expected.tolist()][-3:]


def test_order_is_the_permuted_order_of_names(tmp_path):
    reviews = {f"train/{'pos' if i % 2 else 'neg'}/{i}_5.txt": f"text {i}" for i in range(40)}
    names = sorted(reviews)
    orders = []
    for folder, shown in (("a", names), ("b", names[::-1])):
        (tmp_path / folder).mkdir()
        write_archive(tmp_path / folder / "aclImdb.tar.gz", {name: reviews[name] for name in shown})
        orders.append(fetch_imdb(data_home=tmp_path / folder, raw=True, return_X_y=True))
    (texts, target), (other_texts, other_target) = orders
    assert texts == other_texts
    assert target.tolist() == other_target.tolist()
    expected = np.random.RandomState(113).permutation(40)
    assert texts == [reviews[names[i]] for i in expected]
    assert 0 < target[-10:].mean() < 1


def test_only_regular_review_files_are_read(tmp_path):
    path = write_archive(
        tmp_path / "aclImdb.tar.gz",
        extra=[
            ("aclImdb/train/unsup/0_0.txt", b"no label"),
            ("aclImdb/train/pos/../../../evil_1.txt", b"outside"),
            ("/aclImdb/train/pos/3_9.txt", b"absolute"),
            ("aclImdb/train/pos/note.txt", b"no review"),
        ],
    )
    with tarfile.open(path) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]
    link = tarfile.TarInfo("aclImdb/train/pos/4_9.txt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
        tar.addfile(link)
    texts, _ = fetch_imdb(data_home=tmp_path, subset="all", raw=True, return_X_y=True)
    assert sorted(texts) == sorted(REVIEWS.values())


@pytest.mark.parametrize("suffix", ["gz", "xz"])
@pytest.mark.parametrize("raw", [False, True])
def test_damaged_archives_are_refused(tmp_path, suffix, raw):
    (tmp_path / "imdb_word_index.json").write_text(json.dumps(WORD_INDEX))
    path = write_archive(tmp_path / f"aclImdb.tar.{suffix}")
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 4
    for bad in (b"", b"no archive", good[: len(good) // 2], good[:-6], bytes(flipped)):
        path.write_bytes(bad)
        reason = "cannot be used: it is not a complete .tar.gz or .tar.xz archive. Delete it"
        with pytest.raises(OSError, match=re.escape(f"aclImdb.tar.{suffix} {reason}")):
            fetch_imdb(data_home=tmp_path, raw=raw)
    assert not (tmp_path / "crnn_imdb_ids.npz").exists()


def test_archives_without_what_is_wanted_are_refused(tmp_path):
    path = write_archive(tmp_path / "aclImdb.tar.gz", {"train/pos/0_9.txt": "a"})
    with pytest.raises(OSError, match=r"no test reviews in aclImdb\.tar\.gz"):
        fetch_imdb(data_home=tmp_path, subset="test", raw=True)
    write_archive(path, {"README.txt": "a"})
    with pytest.raises(OSError, match="it contains no file aclImdb"):
        fetch_imdb(data_home=tmp_path, raw=True)
    path.write_bytes(lzma.compress(b""))
    with pytest.raises(OSError, match="cannot be used"):
        fetch_imdb(data_home=tmp_path, raw=True)


def test_the_original_archive_is_held_to_its_hash(tmp_path, monkeypatch):
    path = write_archive(tmp_path / "aclImdb_v1.tar.gz")
    write_archive(tmp_path / "aclImdb_other.tar.gz", {"train/pos/0_9.txt": "not taken"})
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    expected = sources.ARCHIVE.sha256
    assert expected.startswith("c40f74a18d3b")
    with pytest.raises(OSError, match=rf"aclImdb_v1.*its sha256 is {found}, expected {expected}"):
        fetch_imdb(data_home=tmp_path, raw=True)
    known = sources.ARCHIVE._replace(sha256=found)
    monkeypatch.setattr("crnn.datasets._imdb.texts.ARCHIVE", known)
    assert len(fetch_imdb(data_home=tmp_path, raw=True).data) == 3


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["HOME"] + "/exploded",)


def test_a_damaged_cache_is_refused(tmp_path, home):
    (tmp_path / "imdb_word_index.json").write_text(json.dumps(WORD_INDEX))
    write_archive(tmp_path / "aclImdb.tar.gz")
    fetch_imdb(data_home=tmp_path)
    cache = tmp_path / "crnn_imdb_ids.npz"
    good = cache.read_bytes()
    with np.load(cache) as stored:
        arrays = dict(stored)

    forged = io.BytesIO()
    np.savez(forged, **{**arrays, "train_target": 1 - arrays["train_target"]})
    bomb = io.BytesIO()
    np.savez(bomb, **{**arrays, "train_ids": np.array([Bomb()], dtype=object)})
    flipped = bytearray(good)
    flipped[good.index(arrays["train_ids"].tobytes())] ^= 1
    for bad in (
        b"",
        good[: len(good) // 2],
        good[:-10],
        bytes(flipped),
        forged.getvalue(),
        bomb.getvalue(),
        pickle.dumps(Bomb()),
    ):
        cache.write_bytes(bad)
        with pytest.raises(OSError, match=r"crnn_imdb_ids\.npz cannot be used: its? .*Delete it"):
            fetch_imdb(data_home=tmp_path)
    assert not (home / "exploded").exists()


ARRAYS = {
    "ids": np.array([1, 5, 1], np.int32), "offsets": np.array([0, 2, 3]),
    "target": np.array([0, 1]),
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"ids": np.array([1, -5, 1], np.int32)}, {"ids": np.array([1.0, 5.0, 1.0])},
        {"ids": np.array([[1, 5, 1]], np.int32)}, {"ids": np.array(["1", "5", "1"])},
        {"ids": np.zeros(3, "M8[s]")}, {"offsets": np.array([0, 2, 4])},
        {"offsets": np.array([0, 4, 3])}, {"offsets": np.array([1, 2, 3])},
        {"offsets": np.array([0.0, 2.0, 3.0])}, {"offsets": np.array(3)},
        {"target": np.array([0, 2])}, {"target": np.array([0, 1, 1])},
        {"target": np.array(["a", "b"])},
    ],
    ids=lambda wrong: "-".join(f"{k} {v.dtype} {v.tolist()}" for k, v in wrong.items()),
)  # fmt: skip
def test_a_cache_that_someone_made_up(tmp_path, home, wrong):
    """Its checksum is right, and yet it is not what a cache is made of."""
    for arrays in (ARRAYS, ARRAYS | wrong):
        named = {f"{split}_{k}": v for split in ("train", "test") for k, v in arrays.items()}
        with open(tmp_path / "crnn_imdb_ids.npz", "w+b") as file:
            write_sealed(file, named | {"source": np.array("made up")})
        if arrays is ARRAYS:
            assert [ids.tolist() for ids in fetch_imdb(data_home=tmp_path).data] == [[1, 5], [1]]
        else:
            with pytest.raises(OSError, match=r"crnn_imdb_ids\.npz cannot be used"):
                fetch_imdb(data_home=tmp_path, num_words=4)


def tar_of(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for name, size, records in members:
            member = tarfile.TarInfo(name)
            member.pax_headers, member.size = records, size
            tar.addfile(member, io.BytesIO(bytes(size)))


@pytest.mark.parametrize(
    ("size", "records"),
    [
        (2**20 + 1, {}),
        (16, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "x",
              "GNU.sparse.realsize": str(2**32)}),
        (16, {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**32)}),
    ],
    ids=["large", "sparse", "sparse, version 0.1"],
)  # fmt: skip
def test_reviews_that_are_too_large(tmp_path, home, size, records):
    (tmp_path / "imdb_word_index.json").write_text(json.dumps(WORD_INDEX))
    tar_of(tmp_path / "aclImdb.tar.gz", ("aclImdb/train/neg/0_1.txt", size, records))
    tracemalloc.start()
    with pytest.raises(OSError, match=r"aclImdb\.tar\.gz cannot be used"):
        fetch_imdb(data_home=tmp_path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (b"{", "it is not valid JSON"),
        (b"\xff", "it is not valid JSON"),
        (b"[" * 100_000, "it is not valid JSON"),
        (b"[1, 2]", "it is not a JSON object"),
        (b'{"the": 1, "a": 2147483645}', "the rank of 'a' is not an integer from 1 to 2147483644"),
        (b'{"a": "1"}', "the rank of 'a' is not"),
        (b'{"a": true}', "the rank of 'a' is not"),
        (b'{"a": 0}', "the rank of 'a' is not"),
        (b'{"a": 1e30}', "the rank of 'a' is not"),
    ],
    ids=lambda value: None if isinstance(value, bytes) and len(value) > 99 else repr(value),
)
def test_word_indices_that_are_none(tmp_path, home, index, reason):
    write_archive(tmp_path / "aclImdb.tar.gz")
    (tmp_path / "imdb_word_index.json").write_bytes(index)
    with pytest.raises(OSError, match=rf"imdb_word_index\.json cannot be used: {reason}"):
        fetch_imdb(data_home=tmp_path)


def keras_arrays():
    def ragged(rows):
        return np.array([*map(list, rows), None], dtype=object)[:-1]

    return {
        "x_train": ragged([[1, 14], [22, 5, 8], [3]]),
        "y_train": np.array([1, 0, 1]),
        "x_test": ragged([[9], [4, 4]]),
        "y_test": np.array([0, 1]),
    }


@pytest.mark.parametrize("in_keras_folder", [False, True])
def test_keras_file_gives_keras_order_and_ids(tmp_path, home, monkeypatch, in_keras_folder):
    folder = home / ".keras" / "datasets" if in_keras_folder else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    arrays = keras_arrays()
    np.savez(folder / "imdb.npz", **arrays)
    found = hashlib.sha256((folder / "imdb.npz").read_bytes()).hexdigest()
    known = sources.KERAS_IDS._replace(sha256=found)
    monkeypatch.setattr("crnn.datasets._imdb.ids.KERAS_IDS", known)
    rng = np.random.RandomState(113)
    for subset, n in (("train", 3), ("test", 2)):
        order = np.arange(n)
        rng.shuffle(order)
        for _ in ("from the file", "from the cache"):
            data, target = fetch_imdb(data_home=tmp_path, subset=subset, return_X_y=True)
            rows = [[1, *(w + 3 for w in arrays[f"x_{subset}"][i])] for i in order]
            assert [ids.tolist() for ids in data] == rows
            assert target.tolist() == arrays[f"y_{subset}"][order].tolist()


def test_keras_file_is_not_unpickled_before_its_hash_is_right(tmp_path, home):
    path = tmp_path / "imdb.npz"
    np.savez(path, **{**keras_arrays(), "x_train": np.array([Bomb()], dtype=object)})
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    expected = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
    with pytest.raises(OSError, match=rf"imdb\.npz.*sha256 is {found}, expected {expected}"):
        fetch_imdb(data_home=tmp_path)
    assert not (home / "exploded").exists()


@pytest.mark.skipif(os.name == "nt", reason="folders of Windows have no read-only mode")
def test_a_read_only_data_home_is_left_alone(data_home, home):
    before = sorted(data_home.iterdir())
    data_home.chmod(0o555)
    try:
        first = fetch_imdb(data_home=data_home)
        caches = list((home / "crnn_data").iterdir())
        again = fetch_imdb(data_home=data_home)
        assert [ids.tolist() for ids in again.data] == [ids.tolist() for ids in first.data]
        assert sorted(data_home.iterdir()) == before
        assert list((home / "crnn_data").iterdir()) == caches
        (home / "crnn_data").chmod(0o555)
        caches[0].unlink()
        assert len(fetch_imdb(data_home=data_home).data) == 3
        assert not any((home / "crnn_data").iterdir())
    finally:
        data_home.chmod(0o755)
        (home / "crnn_data").chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="folders of Windows have no read-only mode")
def test_caches_of_different_sources_are_not_mixed_up(tmp_path):
    sizes = []
    for n in (1, 2):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        (folder / "imdb_word_index.json").write_text(json.dumps(WORD_INDEX))
        reviews = {f"train/pos/{i}_9.txt": "good" for i in range(n)}
        write_archive(folder / "aclImdb.tar.gz", reviews)
        folder.chmod(0o555)
        sizes.append(len(fetch_imdb(data_home=folder).data))
        folder.chmod(0o755)
    assert sizes == [1, 2]


@pytest.mark.parametrize(("raw", "sought"), [(False, "imdb.npz"), (True, "aclImdb")])
def test_missing_data_say_what_was_sought_where(tmp_path, monkeypatch, raw, sought):
    with pytest.raises(OSError, match=rf"{sought}.* in {tmp_path}.*CRNN_DATA.*no route"):
        fetch_imdb(data_home=tmp_path, raw=raw)
    with pytest.raises(OSError, match="or pass download_if_missing=True"):
        fetch_imdb(data_home=tmp_path, raw=raw, download_if_missing=False)
    monkeypatch.setenv("CRNN_DATA", str(tmp_path / "named"))
    with pytest.raises(OSError, match=rf"in {tmp_path / 'named'}"):
        fetch_imdb(raw=raw, download_if_missing=False)
    monkeypatch.delenv("CRNN_DATA")
    with pytest.raises(OSError, match="crnn_data"):
        fetch_imdb(raw=raw, download_if_missing=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["user"]


def test_a_missing_word_index_is_named(tmp_path):
    write_archive(tmp_path / "aclImdb.tar.gz")
    with pytest.raises(OSError, match=r"looked for imdb_word_index\.json"):
        fetch_imdb(data_home=tmp_path)


def test_download_puts_the_checked_file_into_data_home(tmp_path, monkeypatch):
    calls = []

    def fake_fetch(url, folder, local_filename, sha256, n_retries, delay):
        calls.append((url, sha256[:8], n_retries, delay))
        return str(write_archive(Path(folder, local_filename)))

    monkeypatch.setattr(sources, "fetch_file", fake_fetch)
    with pytest.raises(OSError, match="its sha256 is"):  # the file is checked again when read
        fetch_imdb(data_home=tmp_path / "new", raw=True, n_retries=7, delay=0.5)
    url = "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz"
    assert calls == [(url, "c40f74a1", 7, 0.5)]
    assert (tmp_path / "new" / "aclImdb_v1.tar.gz").exists()


def test_parameters_are_checked(tmp_path):
    for bad in ({"subset": "dev"}, {"num_words": 2}, {"maxlen": 0}, {"n_retries": -1}):
        with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter"):
            fetch_imdb(data_home=tmp_path, **bad)
    with pytest.raises(ValueError, match="num_words=9 and maxlen=None apply to word ids"):
        fetch_imdb(data_home=tmp_path, raw=True, num_words=9)


REAL_HOME = os.environ.get("CRNN_DATA")


@pytest.mark.skipif(not REAL_HOME, reason="CRNN_DATA does not name a folder with the IMDB reviews")
def test_the_real_reviews():
    imdb = fetch_imdb(data_home=REAL_HOME, subset="all", download_if_missing=False)
    train, target = imdb.data[:25000], imdb.target[:25000]
    assert np.mean([len(ids) for ids in train]) == pytest.approx(238.71, abs=0.005)
    assert target.mean() == 0.5
    assert 0.48 < target[-5000:].mean() < 0.52
    assert len(imdb.word_index) == 88584
    start = [1, 280, 174, 443, 11765, 47, 3317, 46, 6, 20]
    (known,) = [ids for ids in imdb.data[25000:] if ids[:10].tolist() == start]
    assert len(known) == 168
    cut, _ = fetch_imdb(data_home=REAL_HOME, num_words=10000, maxlen=500, return_X_y=True)
    assert max(map(max, cut)) == 9999
    assert max(map(len, cut)) == 500
