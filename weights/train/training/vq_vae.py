# SPDX-License-Identifier: MIT
"""VQ-VAE (van den Oord et al. 2017) with the layers of weights/vq_vae.yaml: images to a grid of indices and back.

The codebook is vector-quantize-pytorch's: moving averages, straight-through gradient, unused entries taken anew from the
data.
"""
import argparse
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn
from vector_quantize_pytorch import VectorQuantize

from .data import Images
from .loop import Training
from .record import Panel
from .schedule import Stage

HIDDEN, RESIDUAL, DIMENSIONS, ENTRIES = 32, 32, 32, 256
COMMITMENT = 0.25
CODEBOOK_DECAY = 0.95
LEAST_USE = 2      # entries that fewer vectors of a batch choose, in the moving average, are replaced
BATCH = 250        # of a measurement


class Residual(nn.Module):
    """Its ReLU comes before both ways, as in the network that weights/vq_vae.yaml describes."""

    def __init__(self) -> None:
        super().__init__()
        self._block = nn.Sequential(nn.ReLU(), nn.Conv2d(HIDDEN, RESIDUAL, 3, padding=1, bias=False), nn.ReLU(),
                                    nn.Conv2d(RESIDUAL, HIDDEN, 1, bias=False))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return F.relu(maps) + self._block(maps)


class ResidualStack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self._layers = nn.ModuleList(Residual() for _ in range(2))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        for layer in self._layers:
            maps = layer(maps)
        return F.relu(maps)


class Encoder(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self._conv_1 = nn.Conv2d(channels, HIDDEN // 2, 4, 2, 1)
        self._conv_2 = nn.Conv2d(HIDDEN // 2, HIDDEN, 4, 2, 1)
        self._conv_3 = nn.Conv2d(HIDDEN, HIDDEN, 3, padding=1)
        self._residual_stack = ResidualStack()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._residual_stack(self._conv_3(F.relu(self._conv_2(F.relu(self._conv_1(images))))))


class Decoder(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self._conv_1 = nn.Conv2d(DIMENSIONS, HIDDEN, 3, padding=1)
        self._residual_stack = ResidualStack()
        self._conv_trans_1 = nn.ConvTranspose2d(HIDDEN, HIDDEN // 2, 4, 2, 1)
        self._conv_trans_2 = nn.ConvTranspose2d(HIDDEN // 2, channels, 4, 2, 1)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return self._conv_trans_2(F.relu(self._conv_trans_1(self._residual_stack(self._conv_1(vectors)))))


class VqVae(nn.Module):
    """Normalised images [N, channels, H, W] -> the same made from indices, the indices [N, H/4, W/4], commitment loss."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self._encoder, self._decoder = Encoder(channels), Decoder(channels)
        self._pre_vq_conv = nn.Conv2d(HIDDEN, DIMENSIONS, 1)
        self._vq_vae = VectorQuantize(DIMENSIONS, ENTRIES, decay=CODEBOOK_DECAY, commitment_weight=COMMITMENT,
                                      threshold_ema_dead_code=LEAST_USE, kmeans_init=True, rotation_trick=False,
                                      accept_image_fmap=True)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        vectors = self._pre_vq_conv(self._encoder(images))
        with torch.autocast(images.device.type, enabled=False):
            chosen, indices, commitment = self._vq_vae(vectors.float())
        return self._decoder(chosen).float(), indices, commitment.sum()

    @property
    def codebook(self) -> torch.Tensor:
        return self._vq_vae._codebook.embed[0]  # pylint: disable=protected-access


def published_state(network: VqVae) -> dict[str, torch.Tensor]:
    """Tensors under the names that architecture files use: the codebook alone, without what its training needs."""
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("_vq_vae.")}
    return {**state, "_vq_vae._embedding.weight": network.codebook}


class Reconstruction(Training):
    """squared_error: sum over the steps of this epoch, of values from 0 to 1."""

    place = (*Training.place, "squared_error")
    tensors = staticmethod(published_state)
    panels = (Panel("training loss", {"training_loss": "loss"}),
              Panel("mean squared error", {"training_error": "training", "test_error": "test"}, "values from 0 to 1"),
              Panel("entries of the codebook", {"perplexity": "perplexity", "used": "used"}, "test images"))

    def __init__(self, network: nn.Module, schedule: list[Stage], images: Images, options: argparse.Namespace) -> None:
        super().__init__(network, schedule, images, options)
        self.squared_error = 0.0

    def make_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.network.parameters(), self.options.learning_rate,
                                 weight_decay=self.options.weight_decay, fused=True)

    def loss_of(self, images: Images) -> torch.Tensor:
        inputs = images.normalised()
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=not self.options.float32):
            outputs, _, commitment = self.forward(inputs)
        error = F.mse_loss(outputs, inputs)
        self.squared_error += error.item() * images.deviation[0] ** 2
        return error + commitment

    def measure(self, test: Images) -> dict[str, float]:
        training_error, self.squared_error = self.squared_error / self.n_steps, 0.0
        error, use = measure(self.network, test)
        return {"training_error": training_error, "test_error": error, "perplexity": perplexity(use),
                "used": int((use > 0).sum())}

    def result(self) -> nn.Module:
        return self.network


def reconstructed(network: nn.Module, images: Images) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Of some images at a time: what they are and what the network makes of them, values from 0 to 1; the indices."""
    device, scale = next(network.parameters()).device, images.deviation[0]
    for begin in range(0, len(images), BATCH):
        inputs = images[begin:begin + BATCH].to(device).normalised()
        outputs, indices, _ = network(inputs)
        yield (inputs * scale + images.mean[0]).cpu(), (outputs * scale + images.mean[0]).cpu(), indices.cpu()


@torch.no_grad()
def measure(network: nn.Module, images: Images) -> tuple[float, torch.Tensor]:
    """Mean squared error of values from 0 to 1, float32; how often each entry of the codebook was chosen."""
    training, total, use = network.training, 0.0, torch.zeros(ENTRIES, dtype=torch.long)
    network.eval()
    for inputs, outputs, indices in reconstructed(network, images):
        total += (inputs - outputs).square().mean((1, 2, 3)).sum().item()
        use += indices.flatten().bincount(minlength=ENTRIES)
    network.train(training)
    return total / len(images), use


def perplexity(use: torch.Tensor) -> float:
    """Number of entries that, used equally often, would say as much."""
    share = use[use > 0] / use.sum()
    return float((-(share * share.log()).sum()).exp())
