# SPDX-License-Identifier: MIT
"""Published and home-made network states -> checked safetensors files that meicensus loads.

sources.py       reads a file of any known kind into {name: tensor}
untrained.py     makes a network as it is before training
architecture.py  what an architecture file (YAML) asks of its tensors
conversion.py    drops, checks and rounds the tensors, and writes the safetensors file
nir_file.py      reads a NIR file into nodes and edges
nir_import.py    from a NIR graph to layers and tensors
nir_export.py    and back
"""
import torch

from .refusal import Refused

OLDEST_TORCH = (2, 6)


def require_safe_torch(version: str = torch.__version__) -> None:
    """Refuse a PyTorch whose torch.load(weights_only=True) can be made to run code (CVE-2025-32434)."""
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_TORCH:
        raise Refused(f"PyTorch {version}: a file can run code in versions before 2.6, even with weights_only "
                      "(CVE-2025-32434); install torch 2.6 or newer")
