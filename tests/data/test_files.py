import gzip
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from pyserini_qpeft.data.files import atomic_write, first_line, numbered_lines, open_text, parse_json, read_whole
from pyserini_qpeft.errors import QPeftError


def test_gzip_is_recognised_by_content_and_not_by_name(tmp_path):
    plain, zipped = tmp_path / "plain.gz", tmp_path / "zipped.txt"
    plain.write_text("é\n", encoding="utf-8")
    zipped.write_bytes(gzip.compress("é\n".encode()))

    for path in (plain, zipped):
        with open_text(path) as file:
            assert file.read() == "é\n"


def test_lines_keep_their_numbers_without_blank_ones_and_line_ends(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes("\ufefffirst\r\n\n \t\nfourth\u2028still fourth \n\rsixth".encode())

    assert list(numbered_lines(path)) == [(1, "first"), (4, "fourth\u2028still fourth "), (5, "\rsixth")]
    assert read_whole(path).split("\n")[3] == "fourth\u2028still fourth "


@pytest.mark.parametrize("read", [open_text, lambda path: list(numbered_lines(path)), read_whole])
def test_a_missing_file_and_a_folder_are_one_sentence(read, tmp_path):
    with pytest.raises(QPeftError, match=r"no such file: .*absent\.txt"):
        read(tmp_path / "absent.txt")
    with pytest.raises(QPeftError, match="is a folder, where a file was expected"):
        read(tmp_path)


def test_text_of_another_encoding_is_refused_with_its_line(tmp_path):
    path = tmp_path / "latin1"
    path.write_bytes("plain\ncafé\n".encode("latin-1"))

    with pytest.raises(QPeftError, match=r"latin1:2: not UTF-8"):
        list(numbered_lines(path))


@pytest.mark.parametrize("damage", [lambda whole: whole[:-12], lambda whole: whole[:20] + b"XXXX" + whole[24:]])
def test_a_broken_gzip_file_is_one_sentence(damage, tmp_path):
    path = tmp_path / "run.gz"
    path.write_bytes(damage(gzip.compress(b"a line that is long enough\n" * 50)))

    with pytest.raises(QPeftError, match=r"run\.gz: broken gzip file"):
        list(numbered_lines(path))


@pytest.mark.parametrize("content", [b"", b"\n \n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_refused_with_what_was_expected(content, tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(content)

    with pytest.raises(QPeftError, match=r"empty is empty, where a run was expected"):
        first_line(path, what="a run")


def test_broken_json_is_refused_with_the_line_where_it_breaks():
    with pytest.raises(QPeftError, match=r"^topics\.json:9: broken JSON: .*column 5"):
        parse_json('{\n"a" 1}', "topics.json", 8)
    with pytest.raises(QPeftError, match="nested too deeply"):
        parse_json("[" * 100_000, "topics.json")


class TestAtomicWrite:
    def test_nothing_is_there_before_the_end_and_nothing_else_after_it(self, tmp_path):
        place = tmp_path / "run.txt"

        with atomic_write(place) as file:
            file.write("é\n")
            assert not place.exists()

        assert place.read_bytes() == "é\n".encode()
        assert list(tmp_path.iterdir()) == [place]

    def test_a_failure_leaves_what_was_there(self, tmp_path):
        place = tmp_path / "run.txt"
        place.write_text("old")

        def write_half():
            with atomic_write(place) as file:
                file.write("half")
                raise KeyError

        with pytest.raises(KeyError):
            write_half()

        assert place.read_text() == "old"
        assert list(tmp_path.iterdir()) == [place]

    def test_gzip_by_name_and_the_same_bytes_at_any_time(self, tmp_path):
        for name in ("a.gz", "b.gz"):
            with atomic_write(tmp_path / name) as file:
                file.write("text\n")

        assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == b"text\n"
        assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
        assert (tmp_path / "a.gz").read_bytes()[3:8] == bytes(5)  # of the header: neither name nor time

    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "target")

        with atomic_write(tmp_path / "link") as file:
            file.write("text")

        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "target").read_text() == "text"

    def test_a_missing_folder_is_one_sentence(self, tmp_path):
        with pytest.raises(QPeftError, match=r"cannot write .*run\.txt: the folder .*absent does not exist"):  # noqa: SIM117
            with atomic_write(tmp_path / "absent" / "run.txt"):
                pytest.fail("the block ran")

    def test_a_folder_is_no_place_for_a_file(self, tmp_path):
        with pytest.raises(QPeftError, match="it is a folder"), atomic_write(tmp_path):
            pytest.fail("the block ran")

    def test_a_file_in_place_of_the_folder_is_one_sentence(self, tmp_path):
        (tmp_path / "file").write_text("")

        with pytest.raises(QPeftError, match=r"cannot write .*: Not a directory"), atomic_write(tmp_path / "file/run"):
            pytest.fail("the block ran")

    def test_errors_of_the_block_are_not_taken_for_errors_of_writing(self, tmp_path):
        with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "run.txt") as file:
            file.write(Path(tmp_path / "absent").read_text())

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_device_is_written_to_directly_and_a_full_one_is_one_sentence(self):
        with (
            pytest.raises(QPeftError, match="cannot write /dev/full: No space left"),
            atomic_write("/dev/full") as file,
        ):
            file.write("text")

        assert Path("/dev/full").exists()

    def test_a_file_that_finds_no_room_is_one_sentence_and_leaves_nothing(self, tmp_path):
        script = (
            "import resource, sys\n"
            "from pyserini_qpeft.data.files import atomic_write\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
            "try:\n"
            "    with atomic_write(sys.argv[1]) as file:\n"
            "        for _ in range(1000): file.write('a hundred letters' * 6)\n"
            "except Exception as error: print(type(error).__name__, error)\n"
        )
        assert hasattr(resource, "RLIMIT_FSIZE")
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "run.txt")], capture_output=True, text=True, check=True
        )

        assert done.stdout == f"QPeftError cannot write {tmp_path / 'run.txt'}: File too large\n"
        assert list(tmp_path.iterdir()) == []
