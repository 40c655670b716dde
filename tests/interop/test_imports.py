"""What the interfaces cost before they are used."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["beir", "mteb", "pyserini_prcl", "pygaggle", "rank_llm", "settings"])
def test_an_interface_imports_neither_the_other_library_nor_torch(module):
    heavy = {"beir", "mteb", "pyserini", "pygaggle", "rank_llm", "torch", "transformers", "jnius"}
    code = f"import sys, pyserini_qpeft.interop.{module}; print(sorted({heavy} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "library", "extra"),
    [
        ("haystack", "haystack", "haystack"),
        ("langchain", "langchain_core", "langchain"),
        ("llama_index", "llama_index", "llama-index"),
        ("pyterrier", "pyterrier", "pyterrier"),
        ("rerankers", "rerankers", "rerankers"),
    ],
)
def test_an_interface_without_its_library_says_what_to_install(module, library, extra):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        f"try:\n    import pyserini_qpeft.interop.{module}\nexcept ImportError as error:\n    print(error)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pip install 'pyserini-qpeft[{extra}]'" in answer.stdout
