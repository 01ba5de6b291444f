# SPDX-License-Identifier: MIT
"""Milliseconds a query of the same pipeline in the packages, all cores, float32: PyTorch SN-GAN (256 wide, the file
that ours reads, too), SpikingJelly's spiking ResNet18 (T = 20, shipped weights, activation of a channel of
layer4.1.sn2) and the protes package (768 binary modes, k = 10, top 1), one unit and a batch of k images at a time, as
MANGO does.

plain: as its users write it; tuned: channels_last memory layout, and nothing is run behind the target layer.

usage: bench_pytorch.py [SECONDS] [--census]
--census: the whole query for a channel of each of the 17 spiking layers in turn, too; their mean over all channels"""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "oracle"))

import numpy as np  # noqa: E402
import safetensors.torch  # noqa: E402
import torch  # noqa: E402
from protes import protes  # noqa: E402
from spikingjelly.activation_based import functional  # noqa: E402

from gan_reference import Generator  # noqa: E402
from shipped import load_into, shipped_spiking_resnet18  # noqa: E402

GENERATOR = Path(__file__).resolve().parents[2] / "build/bench/sn_gan.safetensors"
TIMESTEPS, BATCH, DIMENSIONS, BITS = 20, 10, 128, 6
TARGET = "layer4.1.sn2"
LAYERS = ["sn1"] + [f"layer{i}.{j}.sn{k}" for i in (1, 2, 3, 4) for j in (0, 1) for k in (1, 2)]
MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
STD = torch.tensor([0.2023, 0.1994, 0.2010]).view(1, 3, 1, 1)


class Deadline(Exception):
    """Ends a protes run, which knows budgets only."""


class Reached(Exception):
    """Ends a forward pass at the target layer."""


class Pipeline:
    def __init__(self, tuned: bool):
        self.tuned, self.target, self.spikes = tuned, TARGET, None
        self.layout = torch.channels_last if tuned else torch.contiguous_format
        generator = load_into(Generator(256), safetensors.torch.load_file(GENERATOR))
        self.generator = generator.to(memory_format=self.layout)
        self.subject = shipped_spiking_resnet18().to(memory_format=self.layout)
        modules = dict(self.subject.named_modules())
        self.channels = {}
        for name in LAYERS:
            modules[name].register_forward_hook(lambda _, __, out, name=name: self.keep(name, out))

    def keep(self, name: str, spikes: torch.Tensor) -> None:
        self.channels[name] = spikes.shape[2]
        if name == self.target:
            self.spikes = spikes
            if self.tuned:
                raise Reached

    @torch.no_grad()
    def images(self, latent: torch.Tensor) -> torch.Tensor:
        return self.generator(latent)

    @torch.no_grad()
    def activations(self, images: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self.subject)
        images = ((images * 0.5 + 0.5 - MEAN) / STD).contiguous(memory_format=self.layout)
        try:
            self.subject(images.expand(TIMESTEPS, *images.shape))
        except Reached:
            pass
        return self.spikes.mean((0, 3, 4))[:, 0]


def run_protes(score, seconds: float) -> float:
    """Seconds a query of a protes run, after its compilation."""
    state = {"start": None, "n": 0}
    weights = 2 ** np.arange(BITS)

    def evaluate(bits):
        if state["start"] is None and state["n"] >= 3 * BATCH:
            state["start"], state["n"] = time.perf_counter(), 0
        if state["start"] is not None and time.perf_counter() - state["start"] > seconds:
            raise Deadline
        state["n"] += BATCH
        indices = np.asarray(bits).reshape(-1, DIMENSIONS, BITS) @ weights
        return score(torch.from_numpy(indices / 63 * 8 - 4).float())

    try:
        protes(evaluate, d=DIMENSIONS * BITS, n=2, m=10**9, k=BATCH, k_top=1, is_max=True, log=False, seed=0)
    except Deadline:
        pass
    return (time.perf_counter() - state["start"]) / state["n"]


def whole(pipeline: Pipeline, seconds: float) -> dict[str, float]:
    """Seconds a query of a protes run, and of generator and subject within it: alone, they find the memory otherwise."""
    spent, n = [0.0, 0.0], 0

    def score(latent: torch.Tensor) -> np.ndarray:
        nonlocal spent, n
        begin = time.perf_counter()
        images = pipeline.images(latent)
        middle = time.perf_counter()
        found = pipeline.activations(images).numpy()
        spent = [spent[0] + middle - begin, spent[1] + time.perf_counter() - middle]
        n += BATCH
        return found

    per_query = run_protes(score, seconds)
    return {"generator": spent[0] / n, "subject": spent[1] / n, "whole": per_query}


def census(pipeline: Pipeline, seconds: float) -> float:
    """Seconds a query, mean over all channels of all spiking layers: a layer an ask, in turn, in one protes run."""
    spent, asks = dict.fromkeys(LAYERS, 0.0), dict.fromkeys(LAYERS, 0)
    last, n_asks, begin = 0.0, 0, 0.0

    def score(latent: torch.Tensor) -> np.ndarray:
        nonlocal last, n_asks, begin
        now = time.perf_counter()
        n_asks += 1
        if n_asks == 3:  # what is compiled is compiled by now
            begin = now
        elif n_asks > 3:
            spent[pipeline.target] += now - last
            asks[pipeline.target] += 1
            if now - begin > seconds and min(asks.values()) > 0:
                raise Deadline
        last = now
        pipeline.target = LAYERS[(LAYERS.index(pipeline.target) + 1) % len(LAYERS)]
        return pipeline.activations(pipeline.images(latent)).numpy()

    run_protes(score, float("inf"))
    pipeline.target = TARGET
    weighted = sum(pipeline.channels[name] * spent[name] / asks[name] for name in LAYERS)
    return weighted / sum(pipeline.channels[name] for name in LAYERS) / BATCH


def measure(kind: str, seconds: float, with_census: bool) -> None:
    pipeline = Pipeline(kind == "tuned")
    whole(pipeline, seconds / 2)  # memory is found and kept
    found = whole(pipeline, seconds)
    if with_census:
        found["census"] = census(pipeline, seconds)
    for name, part in found.items():
        print(f"{kind}.{name} {1e3 * part:.3f} ms a query", flush=True)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    torch.manual_seed(0)
    if not GENERATOR.exists():
        sys.exit(f"{GENERATOR} is missing: make build/bench/sn_gan.yaml")
    search = run_protes(lambda z: z[:, 0].numpy(), seconds / 4)
    for kind in ("plain", "tuned"):
        print(f"{kind}.search {1e3 * search:.3f} ms a query", flush=True)
        measure(kind, seconds, "--census" in sys.argv)


if __name__ == "__main__":
    main()
