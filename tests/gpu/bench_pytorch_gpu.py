# SPDX-License-Identifier: MIT
"""Queries a second of the pipeline of tests/bench/bench_pytorch.py on a GPU: SN-GAN 256 wide and SpikingJelly's
spiking ResNet18, T = 20, tuned (channels_last, nothing behind the target layer), against the batch, in float32, TF32
and bfloat16 (autocast); and as MANGO's users run it: plain, float32, with protes, k = 10.

Lines: "packages ISA BATCH queries/s", ISA being ours of that precision; "users queries/s"."""
import argparse
import contextlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import bench_pytorch  # noqa: E402
import torch  # noqa: E402

PRECISIONS = {"cuda": (False, False), "cuda-tf32": (True, False), "cuda-bf16": (True, True)}


def make_pipeline(tuned: bool, device: str) -> bench_pytorch.Pipeline:
    pipeline = bench_pytorch.Pipeline(tuned)
    pipeline.generator.to(device)
    pipeline.subject.to(device)
    bench_pytorch.MEAN, bench_pytorch.STD = bench_pytorch.MEAN.to(device), bench_pytorch.STD.to(device)
    return pipeline


def set_precision(isa: str, device: str) -> contextlib.AbstractContextManager:
    """What products are made of, while the context lasts."""
    tf32, bfloat16 = PRECISIONS[isa]
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    return torch.autocast(device, dtype=torch.bfloat16) if bfloat16 else contextlib.nullcontext()


def finish(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def measure(pipeline: bench_pytorch.Pipeline, batch: int, seconds: float, device: str) -> float:
    """Queries a second."""
    latent = torch.randint(0, 64, (batch, bench_pytorch.DIMENSIONS), device=device).float() / 63 * 8 - 4
    n = 0
    pipeline.activations(pipeline.images(latent))
    finish(device)
    start = time.perf_counter()
    while n == 0 or time.perf_counter() - start < seconds:
        pipeline.activations(pipeline.images(latent))
        n += batch
        finish(device)
    return n / (time.perf_counter() - start)


def measure_batches(batches: list[int], seconds: float, device: str) -> None:
    pipeline = make_pipeline(True, device)
    for isa in PRECISIONS:
        for batch in batches:
            try:
                with set_precision(isa, device):
                    print(f"packages {isa} {batch} {measure(pipeline, batch, seconds, device):.1f}", flush=True)
            except torch.OutOfMemoryError:
                print(f"refused {isa} {batch} out of memory", flush=True)


def measure_users(seconds: float, device: str) -> None:
    pipeline = make_pipeline(False, device)
    with set_precision("cuda", device):
        seconds_a_query = bench_pytorch.run_protes(
            lambda z: pipeline.activations(pipeline.images(z.to(device))).cpu().numpy(), seconds
        )
    print(f"users {1 / seconds_a_query:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="as PyTorch names it")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--batches", type=int, nargs="+", default=[10, 256], help="images at a time")
    arguments = parser.parse_args()
    if not bench_pytorch.GENERATOR.exists():
        sys.exit(f"{bench_pytorch.GENERATOR} is missing: make build/bench/sn_gan.yaml")
    torch.manual_seed(0)
    measure_users(arguments.seconds, arguments.device)
    measure_batches(arguments.batches, arguments.seconds, arguments.device)


if __name__ == "__main__":
    main()
