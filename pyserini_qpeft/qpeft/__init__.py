"""Q-PEFT as a PEFT method: importing this package registers it with peft."""

from pyserini_qpeft.qpeft.config import QPeftConfig
from pyserini_qpeft.qpeft.registration import register
from pyserini_qpeft.qpeft.template import PromptEncoder, PromptTemplate
from pyserini_qpeft.qpeft.tuner import QPeftModel

register()

__all__ = ["PromptEncoder", "PromptTemplate", "QPeftConfig", "QPeftModel"]
