import contextlib
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from pyserini_qpeft.data.records import RankedHit, RankedList
from pyserini_qpeft.data.runs import write_run
from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.reranking.resume import ResumableWriter

QIDS = ["q1", "q2", "é3", "q4"]
SETTINGS = {"model": "tiny", "depth": 100}
FORMATS = ("trec", "msmarco", "csv", "jsonl")


def results(qid: str) -> RankedList:
    hits = [RankedHit(f"d{i}", -i / 3, i, 10.0 - i, i, text=f"text {i}\nof é🙂") for i in range(1, 4)]
    return RankedList(qid, f"query {qid}", [] if qid == "q2" else hits)


class Interrupted(Exception):
    pass


def work(output, *, upto=None, form="trec", settings=SETTINGS, restart=False, order=1) -> list[str]:
    """Does the unfinished queries and is interrupted after `upto` of them; returns those done."""
    done = []
    with ResumableWriter(output, QIDS, settings, form=form, restart=restart) as writer:
        for qid in writer.unfinished[::order]:
            if upto is not None and len(done) == upto:
                raise Interrupted
            writer.write(results(qid))
            done.append(qid)
    return done


def interrupted(output, upto, **options):
    with pytest.raises(Interrupted):
        work(output, upto=upto, **options)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["run", "run.gz"])
@pytest.mark.parametrize("order", [1, -1])
def test_an_interrupted_run_ends_byte_for_byte_as_an_uninterrupted_one(tmp_path, form, name, order):
    output = tmp_path / name
    interrupted(output, 2, form=form, order=order)
    assert not output.exists()

    assert len(work(output, form=form)) == 2

    write_run(tmp_path / f"whole-{name}", [results(qid) for qid in QIDS], form)
    assert output.read_bytes() == (tmp_path / f"whole-{name}").read_bytes()
    assert not (tmp_path / f"{name}.partial").exists()


def test_a_kill_at_any_byte_loses_no_more_than_the_query_it_hit(tmp_path):
    output, partial = tmp_path / "run", tmp_path / "run.partial"
    interrupted(output, 3)
    left = partial.read_bytes()
    write_run(tmp_path / "whole", [results(qid) for qid in QIDS])
    line_ends = [place for place, byte in enumerate(left, start=1) if byte == ord("\n")]

    for cut in sorted({0, 1, 15, *(end + near for end in line_ends for near in (-40, -2, -1, 0, 1, 20))}):
        partial.write_bytes(left[:cut])
        finished = max(sum(end <= cut for end in line_ends) - 1, 0)

        assert work(output) == QIDS[finished:]
        assert output.read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_killed_process_leaves_every_query_it_finished(tmp_path):
    script = (
        "import sys, time\n"
        "from pyserini_qpeft.data.records import RankedList\n"
        "from pyserini_qpeft.reranking.resume import ResumableWriter\n"
        "writer = ResumableWriter(sys.argv[1], ['1', '2', '3'], {})\n"
        "writer.write(RankedList('1', '', [])); writer.write(RankedList('3', '', []))\n"
        "print('two', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "run")], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"two\n"

    with pytest.raises(QPeftError, match=r"another process is writing .*run\.partial"):
        ResumableWriter(tmp_path / "run", ["1", "2", "3"], {})
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    with ResumableWriter(tmp_path / "run", ["1", "2", "3"], {}) as writer:
        assert writer.unfinished == ["2"]


def test_other_settings_are_refused_and_named(tmp_path):
    interrupted(tmp_path / "run", 1)

    with pytest.raises(QPeftError, match=r"run\.partial is an unfinished run with depth 100 \(now 50\): .*restart"):
        work(tmp_path / "run", settings={"model": "tiny", "depth": 50})
    with pytest.raises(QPeftError, match=r"with format 'trec' \(now 'jsonl'\)"):
        work(tmp_path / "run", form="jsonl")
    assert work(tmp_path / "run") == QIDS[1:]


@pytest.mark.parametrize(
    "damaged",
    ['{"settings": {"depth": 10, "formtrue}', '{"settings": {}, }', '{"settings": [1]}', '{"settings": null}'],
)
def test_damaged_settings_are_refused_in_one_sentence(tmp_path, damaged):
    partial = tmp_path / "run.partial"
    partial.write_text(damaged + '\n{"qid": "1", "fingerprint": null, "lines": "1 Q0 a 1 1.0 x\\n"}\n')
    with pytest.raises(QPeftError, match=r"run.partial is damaged: start again with --restart"):
        ResumableWriter(tmp_path / "run", ["1"], {})
    with ResumableWriter(tmp_path / "run", ["1"], {}, restart=True) as writer:
        assert writer.unfinished == ["1"]


@pytest.mark.parametrize(
    "record",
    ['{"qid": "1", "lines": {}}', '{"qid": ["1"], "lines": ""}', '{"qid": "1", "lines": "\\ud800"}', '"1"', "1"],
)
def test_a_record_that_is_no_list_of_a_query_is_done_again(tmp_path, record):
    settings = {"settings": {"format": "trec", "tag": "qpeft"}}
    (tmp_path / "run.partial").write_text(json.dumps(settings) + f"\n{record}\n")
    with ResumableWriter(tmp_path / "run", ["1"], {}) as writer:
        assert writer.unfinished == ["1"]


def test_a_restart_does_everything_again_with_any_settings(tmp_path):
    interrupted(tmp_path / "run", 2)

    interrupted(tmp_path / "run", 1, settings={"depth": 50}, restart=True)
    assert work(tmp_path / "run", settings={"depth": 50}) == QIDS[1:]


def test_a_job_that_finished_nothing_leaves_nothing_in_the_way(tmp_path):
    interrupted(tmp_path / "run", 0)

    assert list(tmp_path.iterdir()) == []


def test_settings_of_a_job_that_was_killed_before_its_first_query_do_not_matter(tmp_path):
    writer = ResumableWriter(tmp_path / "run", QIDS, SETTINGS)
    writer._close()
    assert (tmp_path / "run.partial").exists()

    assert work(tmp_path / "run", settings={"depth": 50}) == QIDS


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "run.partial").write_text("my notes\n")

    for restart in (False, True):
        with pytest.raises(QPeftError, match="is not an unfinished run"):
            work(tmp_path / "run", restart=restart)
    assert (tmp_path / "run.partial").read_text() == "my notes\n"


def test_an_earlier_run_stays_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "run").write_text("old\n")

    interrupted(tmp_path / "run", 3)
    assert (tmp_path / "run").read_text() == "old\n"
    work(tmp_path / "run")
    assert (tmp_path / "run").read_text().startswith("q1 Q0 d1 1 ")


def test_a_query_that_the_format_cannot_hold_leaves_the_others(tmp_path):
    unfit = RankedList("q2", "", [RankedHit("d", float("nan"), 1, 1.0, 1)])
    interrupted(tmp_path / "run", 1)

    with (
        pytest.raises(QPeftError, match="the score of document d is nan"),
        ResumableWriter(tmp_path / "run", QIDS, SETTINGS) as writer,
    ):
        writer.write(unfit)

    assert work(tmp_path / "run") == QIDS[1:]


def test_a_place_where_no_run_can_be_written_is_one_sentence(tmp_path):
    with pytest.raises(QPeftError, match=r"cannot write .*: the folder .*absent does not exist"):
        ResumableWriter(tmp_path / "absent" / "run", QIDS, SETTINGS)
    with pytest.raises(QPeftError, match="it is not a file"):
        ResumableWriter(tmp_path, QIDS, SETTINGS)


def test_a_full_disk_is_one_sentence_and_the_run_continues_when_there_is_room(tmp_path):
    script = (
        "import resource, sys\n"
        "from pyserini_qpeft.data.records import RankedList\n"
        "from pyserini_qpeft.reranking.resume import ResumableWriter\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    with ResumableWriter(sys.argv[1], map(str, range(9)), {}, form='jsonl') as writer:\n"
        "        for qid in writer.unfinished: writer.write(RankedList(qid, 'query ' * 30, []))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout == f"QPeftError cannot write {tmp_path / 'run.partial'}: File too large\n"
    with ResumableWriter(tmp_path / "run", map(str, range(9)), {}, form="jsonl") as writer:
        assert writer.unfinished == ["3", "4", "5", "6", "7", "8"]


def test_a_depth_of_numpy_is_the_same_depth(tmp_path):
    for depth in (np.int64(3), 3):
        with contextlib.suppress(Interrupted), ResumableWriter(tmp_path / "run", QIDS, {"depth": depth}) as writer:
            if not writer.finished:
                writer.write(results("q1"))
            assert list(writer.finished) == ["q1"]
            raise Interrupted
