"""What the interfaces cost before they are used."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["pyserini_prcl", "pygaggle", "rank_llm"])
def test_an_interface_imports_neither_the_other_library_nor_torch(module):
    heavy = {"pyserini", "pygaggle", "rank_llm", "torch", "transformers", "jnius"}
    code = f"import sys, pyserini_qpeft.interop.{module}; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
