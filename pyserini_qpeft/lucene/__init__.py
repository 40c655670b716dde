"""All use of Java and Pyserini. Java starts with the first call that needs it."""

from pyserini_qpeft.lucene.index import IndexReport, build_index
from pyserini_qpeft.lucene.java import JavaRuntime, find_java
from pyserini_qpeft.lucene.jvm import start_jvm
from pyserini_qpeft.lucene.stored import StoredTexts, index_folder, open_searcher

__all__ = [
    "IndexReport",
    "JavaRuntime",
    "StoredTexts",
    "build_index",
    "find_java",
    "index_folder",
    "open_searcher",
    "start_jvm",
]
