# SPDX-License-Identifier: MIT
"""From a trained VQ-VAE to the file that weights/import.py takes, and its reconstruction error."""
import argparse
import copy
import shlex
from pathlib import Path

import torch

from .checkpoint import write_whole
from .data import Images, Source
from .finish import data_command, import_command, round_matrices, write_state
from .record import write_json
from .vq_vae import VqVae, measure, perplexity, published_state, reconstructed

TOLERATED = 1.005  # times the error, by rounding to float16
SHOWN = 16         # images of reconstructions.png


@torch.no_grad()
def finish(recipe: str, source: Source, network: VqVae, test: Images, options: argparse.Namespace) -> None:
    """Measure the network with matrices in float32 and rounded to float16, write the better file, say how to use it."""
    rounded = copy.deepcopy(network)
    round_matrices(rounded)
    rounded.codebook.copy_(rounded.codebook.half())
    (exact_error, use), (rounded_error, _) = measure(network, test), measure(rounded, test)
    half = rounded_error <= TOLERATED * exact_error
    print(f"mean squared error of {len(test):,} test images, values from 0 to 1: {exact_error:.6f}, with matrices rounded "
          f"to float16 {rounded_error:.6f}", flush=True)
    path = options.output / f"{recipe}.pt"
    write_state(path, published_state(rounded if half else network), half)
    write_json(options.output / "error.json",
               {"test_images": len(test), "error_float32": exact_error, "error_float16": rounded_error,
                "written": "float16" if half else "float32", "entries": len(use), "entries_used": int((use > 0).sum()),
                "perplexity": perplexity(use)})
    write_whole(options.output / "reconstructions.png", lambda part: draw(part, network, test[:SHOWN]))
    print(commands(recipe, source, path, options))


def draw(path: Path, network: VqVae, images: Images) -> None:
    """Images above what the network makes of them."""
    from matplotlib import image  # here, because it takes a second to import

    network.eval()
    inputs, outputs, _ = next(reconstructed(network, images))
    rows = [values.clamp(0, 1)[:, 0].permute(1, 0, 2).flatten(1) for values in (inputs, outputs)]
    enlarged = torch.cat(rows).repeat_interleave(2, 0).repeat_interleave(2, 1)
    image.imsave(path, enlarged.numpy(), cmap="gray", vmin=0, vmax=1, format="png")


def commands(recipe: str, source: Source, path: Path, options: argparse.Namespace) -> str:
    """What imports the network and measures it with the C program, to be run in the root of the repository."""
    output = shlex.quote(str(options.output))
    unpack, images = data_command(source, options)
    return "\n".join([import_command(recipe, path, options), f"cp weights/{recipe}_encoder.yaml {output}/", *unpack,
                      f"build/meicensus encode --model {output}/{recipe}.yaml --data {images} --output {output}/codes.h5"])
