# SPDX-License-Identifier: MIT
"""A generator's recipe from its options to its result."""
import argparse
import copy
import shlex
from pathlib import Path

import torch

from importer.refusal import Refused

from . import frechet
from .adversarial import CHECKPOINT, AdversarialTraining, Measure, settle, sheet, step_file, train
from .adversarial_record import draw_sheet
from .checkpoint import save_network, write_whole
from .data import Images, read_test_images, read_training_images
from .finish import round_matrices
from .networks import untrained
from .record import write_json, write_settings
from .sn_gan import Discriminator, Generator

PUBLISHED_WIDTH = 256
FLOOR_IMAGES = 10_000
TOLERATED_RATIO = 1.01  # of the distances with rounded and exact matrices


def run(options: argparse.Namespace) -> None:
    output, checkpoint = options.output, options.output / CHECKPOINT
    output.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists() and not options.resume:
        raise Refused(f"{checkpoint}: there is a training already; add --resume to go on with it, or choose another --output")
    images, test = read_training_images(options.data, options.limit), read_test_images(options.data, options.limit)
    features = frechet.resnet_features(options.features, options.device)
    measure = Measure(features, frechet.statistics_of(frechet.as_batches(test.pixels), features))
    (output / "checkpoints").mkdir(exist_ok=True)
    training = _start(images, options, checkpoint)
    write_settings(output / "settings.json", name_of(options.width), options, [options.features])
    train(training, measure)
    _finish(training, measure, images)


def _start(images: Images, options: argparse.Namespace, checkpoint: Path) -> AdversarialTraining:
    """The untrained networks, or those of the checkpoint."""
    generator = untrained(lambda: Generator(options.width), options.seed)
    discriminator = untrained(lambda: Discriminator(options.discriminator_width), options.seed + 1)
    if not checkpoint.exists():
        save_network(step_file(options.output, 0), generator.state_dict())
    training = AdversarialTraining(generator, discriminator, images, options)
    if checkpoint.exists():
        training.restore(checkpoint)
        print(f"going on after step {training.step_number}", flush=True)
    return training


def name_of(width: int) -> str:
    """The architecture file that this width is for; both have the same layers."""
    return "sn_gan" if width == PUBLISHED_WIDTH else "sn_gan_light"


def _finish(training: AdversarialTraining, measure: Measure, images: Images) -> None:
    """Measure the average with exact and with rounded matrices in float32, write the better file, say how to use it."""
    options, count = training.options, training.options.final_samples
    floor = frechet.distance(measure.test, frechet.statistics_of(frechet.as_batches(images.pixels[:FLOOR_IMAGES]), measure.features))
    print(f"measuring {count:,} samples in float32", flush=True)
    exact, latents = training.settled(count), frechet.latents_of(options.seed + 4, count)
    rounded = copy.deepcopy(exact)
    round_matrices(rounded)
    settle(rounded, count, options)
    distances = [measure.distance(network, latents, bf16=False) for network in (exact, rounded)]
    half = distances[1] <= TOLERATED_RATIO * distances[0]
    path = options.output / f"{name_of(options.width)}.pt"
    _write(path, rounded if half else exact, half)
    draw_sheet(options.output / "samples" / "final.png", sheet(rounded if half else exact, options))
    write_json(options.output / "quality.json",
               {"frechet_distance": distances[half], "floor": floor, "samples": count, "test_images": measure.test.n,
                "floor_images": min(FLOOR_IMAGES, len(images)), "features": options.features.name,
                "distance_float32": distances[0], "distance_float16": distances[1], "written": "float16" if half else "float32"})
    print(f"{path}: Frechet distance {distances[half]:.3f}, matrices in float{16 if half else 32}; floor {floor:.3f} (training "
          "images against test images)")
    print(commands(path, options))


def _write(path: Path, network: Generator, half: bool) -> None:
    """The state dict; rounded matrices as float16."""
    state = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    if half:
        state = {name: tensor.half() if tensor.dim() > 1 else tensor for name, tensor in state.items()}
    write_whole(path, lambda part: torch.save(state, part))


def commands(path: Path, options: argparse.Namespace) -> str:
    """What imports the network and measures it again, to be run in the root of the repository."""
    output, data, source = (shlex.quote(str(item)) for item in (options.output, options.data, path))
    model = f"{output}/{name_of(options.width)}.yaml"
    return (f"cp weights/{name_of(options.width)}.yaml {output}/\n"
            f"python weights/import.py {source} --model {model}\n"
            f"python weights/frechet.py {source} --data {data}")
