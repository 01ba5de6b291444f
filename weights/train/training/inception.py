# SPDX-License-Identifier: MIT
"""The features of the usual FID: those of the package pytorch-fid, with its weights from a file of the user's."""
from pathlib import Path
from unittest import mock

import torch

from importer.refusal import Refused
from importer.sources import read_state

from .frechet import Features


def inception_features(path: Path, device: torch.device) -> Features:
    """path: pt_inception-2015-12-05-6726825d.pth, which pytorch-fid publishes and would otherwise download."""
    try:
        from pytorch_fid import inception  # here, because few users have it
    except ImportError as error:
        raise Refused(f"--inception needs the package pytorch-fid ({error}): pip install pytorch-fid") from error
    state = read_state(path)
    with mock.patch.object(inception, "load_state_dict_from_url", lambda *_, **__: state):
        try:
            network = inception.InceptionV3(resize_input=True, normalize_input=True).eval().to(device)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise Refused(f"{path}: does not hold the weights of pytorch-fid's Inception network ({reason})") from error

    @torch.no_grad()
    def compute(images: torch.Tensor) -> torch.Tensor:
        return network(images.to(device))[0].flatten(1).cpu()

    return compute
