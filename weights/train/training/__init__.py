# SPDX-License-Identifier: MIT
"""Shared by the training recipes.

options.py         command line, and the settings a resumed training must share with its checkpoint
schedule.py        epochs and time steps
data.py            images in memory; CIFAR-10's binary files
idx.py             MNIST's files, and those of sets like it
augmentation.py    random changes of a batch of images, on the device
networks.py        SpikingJelly's spiking ResNet18 and its ReLU twin: untrained, read from a file, rescaled; the CNN for MNIST
neurons.py         SpikingJelly's LIF with time folded into the batch, fast on a CPU
losses.py          cross-entropy, distillation
checkpoint.py      files that are whole or absent: checkpoint, safetensors of single epochs
loop.py            the training loop
classification.py  what is trained for: the class of an image
vq_vae.py          ... or to make images again from indices
record.py          settings.json, curves.csv, curves.png
progress.py        one line: where the training is, time left
recipe.py          one recipe from its command line to its result
finish.py          average -> batch norm statistics -> float16 -> accuracy -> NAME.pt
vq_vae_finish.py   float16 -> reconstruction error -> NAME.pt
adversarial*.py, sn_gan.py, frechet.py, inception.py, image_files.py   the SN-GAN: training, networks, quality, data
"""
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # weights/, where the importer is
