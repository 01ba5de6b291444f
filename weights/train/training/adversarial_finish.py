# SPDX-License-Identifier: MIT
"""From a trained generator to the file that weights/import.py takes, and its Frechet distance."""
import argparse
import copy
import shlex
from pathlib import Path

from . import frechet
from .adversarial import Measure, settled, sheet
from .data import Images
from .finish import import_command, round_matrices, write_state
from .image_files import draw_sheet
from .record import write_json
from .sn_gan import Generator

FLOOR_IMAGES = 10_000
TOLERATED_RATIO = 1.01  # of the distances with rounded and exact matrices


def finish(recipe: str, generator: Generator, images: Images, measure: Measure, options: argparse.Namespace) -> None:
    """Measure the network with exact and with rounded matrices in float32, write the better file, say how to use it."""
    count, path = options.final_samples, options.output / f"{recipe}.pt"
    floor = frechet.distance(measure.test, measure.of_pixels(images.pixels[:FLOOR_IMAGES]))
    print(f"measuring {count:,} samples in float32", flush=True)
    rounded = copy.deepcopy(generator)
    round_matrices(rounded)
    networks = [settled(network, count, options) for network in (generator, rounded)]
    latents = frechet.latents_of(options.seed + 4, count)
    exact_distance, rounded_distance = (measure.distance(network, latents, bf16=False) for network in networks)
    half = rounded_distance <= TOLERATED_RATIO * exact_distance
    distance = rounded_distance if half else exact_distance
    write_state(path, networks[half].state_dict(), half)
    draw_sheet(options.output / "samples" / "final.png", sheet(networks[half], options.seed))
    write_json(options.output / "quality.json",
               {"frechet_distance": distance, "floor": floor, "samples": count, "test_images": measure.test.n,
                "floor_images": min(FLOOR_IMAGES, len(images)), "features": options.features.name,
                "distance_float32": exact_distance, "distance_float16": rounded_distance,
                "written": "float16" if half else "float32"})
    print(f"{path}: Frechet distance {distance:.3f}, matrices in float{16 if half else 32}; floor {floor:.3f} "
          "(training images against test images)")
    print(commands(recipe, path, options))


def commands(recipe: str, path: Path, options: argparse.Namespace) -> str:
    """What imports the network and measures it with the C program, to be run in the root of the repository."""
    output, data = shlex.quote(str(options.output)), shlex.quote(str(options.data))
    return (f"{import_command(recipe, path, options)}\n"
            f"python weights/frechet.py {output}/{recipe}.yaml --data {data}")
