# SPDX-License-Identifier: MIT
"""Shared by the training recipes of the two ResNet18 subjects.

options.py       command line, and the settings a resumed training must share with its checkpoint
data.py          CIFAR-10's binary files -> uint8 tensors
augmentation.py  random changes of a batch of images, on the device
networks.py      SpikingJelly's spiking ResNet18 and its ReLU twin: untrained, read from a file, rescaled
neurons.py       SpikingJelly's LIF with time folded into the batch, fast on a CPU
losses.py        cross-entropy, distillation
checkpoint.py    files that are whole or absent: checkpoint, safetensors of single epochs
loop.py          the training loop
record.py        settings.json, curves.csv, curves.png
progress.py      one line: where the training is, time left
finish.py        average -> batch norm statistics -> float16 -> accuracy -> NAME.pt
"""
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # weights/, where the importer is
