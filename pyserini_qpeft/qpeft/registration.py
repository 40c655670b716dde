"""Registers the method with peft, so that peft loads Q-PEFT adapters."""

from peft import mapping
from peft.tuners.tuners_utils import BaseTuner

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.qpeft.config import PEFT_TYPE, QPeftConfig
from pyserini_qpeft.qpeft.tuner import QPeftModel


def register() -> None:
    """Enters Q-PEFT into peft's tables; calling it again changes nothing.

    peft's own `register_peft_method` asks for a member of its `PeftType` enum, which cannot be extended from outside
    without private fields; its tables are keyed by strings that compare equal to the enum's members, so the name alone
    is enough.

    Raises:
        QPeftError: If peft is older than 0.21, whose loaders would leave an adapter's weights unloaded.
    """
    if not hasattr(BaseTuner, "_remove_adapter_name_from_key"):
        raise QPeftError("pyserini-qpeft needs peft 0.21 or newer: pip install 'peft>=0.21'.")
    mapping.PEFT_TYPE_TO_CONFIG_MAPPING[PEFT_TYPE] = QPeftConfig
    mapping.PEFT_TYPE_TO_TUNER_MAPPING[PEFT_TYPE] = QPeftModel
    mapping.PEFT_TYPE_TO_PREFIX_MAPPING[PEFT_TYPE] = QPeftModel.prefix
