"""All use of Java and Pyserini. Java starts with the first call that needs it."""

from pyserini_qpeft.lucene.dense_index import EncodingConfig, build_dense_index
from pyserini_qpeft.lucene.encoder_config import EncoderConfig
from pyserini_qpeft.lucene.index import build_index
from pyserini_qpeft.lucene.java import JavaRuntime, find_java
from pyserini_qpeft.lucene.jvm import start_jvm
from pyserini_qpeft.lucene.kinds import index_folder
from pyserini_qpeft.lucene.new_index import IndexReport
from pyserini_qpeft.lucene.searchers import open_searcher
from pyserini_qpeft.lucene.stored import StoredTexts

__all__ = [
    "EncoderConfig",
    "EncodingConfig",
    "IndexReport",
    "JavaRuntime",
    "StoredTexts",
    "build_dense_index",
    "build_index",
    "find_java",
    "index_folder",
    "open_searcher",
    "start_jvm",
]
