import os
import subprocess
import sys

from pyserini_qpeft.lucene import start_jvm


def in_a_new_process(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def test_importing_the_door_does_not_open_it():
    done = in_a_new_process(
        "import sys, pyserini_qpeft.lucene, pyserini_qpeft.lucene.first_stage, pyserini_qpeft.lucene.topics\n"
        "print(sorted({'jnius', 'pyserini', 'torch', 'transformers'} & set(sys.modules)))"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_pyserini_accepts_the_machine_and_nothing_is_logged_to_the_output():
    done = in_a_new_process(
        "from pyserini_qpeft.lucene import start_jvm\n"
        "start_jvm('-Xmx300m')\n"
        "start_jvm()\n"
        "from pyserini.pyclass import autoclass\n"
        "print(autoclass('java.lang.Runtime').getRuntime().maxMemory() >> 20)\n"
        "from pyserini.index.lucene import LuceneIndexer\n"
    )
    assert int(done.stdout) <= 300
    assert done.stderr == ""


def test_a_machine_that_does_not_start_says_why_in_one_sentence():
    done = in_a_new_process(
        "from pyserini_qpeft.errors import QPeftError\n"
        "from pyserini_qpeft.lucene import start_jvm\n"
        "try:\n    start_jvm('-Xmx1x')\nexcept QPeftError as error:\n    print(error)"
    )
    assert done.stdout.strip().endswith("did not start: Invalid maximum heap size: -Xmx1x.")
    assert done.stderr == ""


def test_the_environment_is_left_as_it_was():
    before = os.environ.get("JAVA_HOME")
    start_jvm()
    assert os.environ.get("JAVA_HOME") == before
