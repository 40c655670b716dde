"""Makes a LoRA smaller: a lower rank, and weights in bfloat16.

    python -m recipes.smaller_lora --adapter LORA --rank 8 --output SMALLER

Each update of a weight, alpha / r · BA, is replaced by the nearest matrix of the lower rank (singular value
decomposition), so alpha / r becomes 1. The program prints how much of the updates is kept.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.models.adapters import check_adapter_folder

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def smaller(weights: dict[str, torch.Tensor], scale: float, rank: int) -> tuple[dict[str, torch.Tensor], float]:
    """Lowers the rank of all updates.

    Args:
        weights: The LoRA's weights, `lora_A` `[r, inputs]` and `lora_B` `[outputs, r]` for each layer.
        scale: alpha / r.
        rank: The new rank.

    Returns:
        The new weights in bfloat16, and the share of the squared size of the updates that they keep.
    """
    found, kept, whole = {}, 0.0, 0.0
    for name in (one for one in weights if ".lora_A." in one):
        other = name.replace(".lora_A.", ".lora_B.")
        # B = QR and Aᵀ = Q'R': the decomposition of the small matrix RR'ᵀ gives that of BA.
        outputs, upper = torch.linalg.qr(weights[other].double())
        inputs, lower = torch.linalg.qr(weights[name].double().T)
        left, values, right = torch.linalg.svd(scale * upper @ lower.T)
        left, right = outputs @ left, right @ inputs.T
        kept += float(values[:rank].square().sum())
        whole += float(values.square().sum())
        roots = values[:rank].sqrt()
        found[name] = (roots[:, None] * right[:rank]).to(torch.bfloat16).contiguous()
        found[other] = (left[:, :rank] * roots).to(torch.bfloat16).contiguous()
    return found, kept / whole


def main() -> None:
    """Reads a LoRA and writes the smaller one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adapter", type=Path, required=True, help="folder of the LoRA")
    parser.add_argument("--rank", type=int, required=True, help="the new rank")
    parser.add_argument("--output", type=Path, required=True, help="folder to write; it must not exist")
    args = parser.parse_args()
    if args.output.exists():
        parser.error(f"{args.output} exists already: choose another --output")
    try:
        check_adapter_folder(args.adapter)
    except QPeftError as error:
        parser.error(str(error))
    settings = json.loads((args.adapter / _CONFIG).read_text(encoding="utf-8"))
    scale = settings["lora_alpha"] / settings["r"]
    weights, kept = smaller(load_file(args.adapter / _WEIGHTS), scale, args.rank)
    shutil.copytree(args.adapter, args.output)
    save_file(weights, args.output / _WEIGHTS, metadata={"format": "pt"})
    settings |= {"r": args.rank, "lora_alpha": args.rank, "target_modules": sorted(settings["target_modules"])}
    (args.output / _CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"rank {args.rank} keeps {kept:.1%} of the updates")


if __name__ == "__main__":
    main()
