# SPDX-License-Identifier: MIT
"""Shared by the training recipes.

options.py             command line, and the settings a resumed training must share with its checkpoint
schedule.py            epochs and time steps
data.py                images in memory; CIFAR-10's binary files
idx.py                 MNIST's files, and those of sets like it
augmentation.py        random changes of a batch of images, on the device
networks.py            SpikingJelly's spiking ResNet18 and its ReLU twin; the CNN for MNIST
neurons.py             SpikingJelly's LIF with time folded into the batch, fast on a CPU
losses.py              cross-entropy, distillation
checkpoint.py          files that are whole or absent: checkpoint, safetensors of single epochs
resumable.py           what every training can do: be stopped, be kept in a checkpoint, go on from it
loop.py                a training in epochs
classification.py      what is trained for: the class of an image
vq_vae.py              ... or to make images again from indices
record.py              settings.json, curves.csv, curves.png
progress.py            one line: where the training is, time left
recipe.py              one recipe from its command line to its result
finish.py              average -> batch norm statistics -> float16 -> accuracy -> NAME.pt
vq_vae_finish.py       float16 -> reconstruction error -> NAME.pt
sn_gan.py              generator and discriminator of the SN-GAN
adversarial.py         the training of one against the other
adversarial_finish.py  batch norm statistics -> float16 -> Frechet distance -> NAME.pt
frechet.py             distance between two sets of images by their features
forward.py             images of a generator by the C program
inception.py           the features of the usual FID
image_files.py         images from folders, NumPy and HDF5 files; sheets of images
"""
import sys
import warnings
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # weights/, where the importer is
warnings.filterwarnings("ignore", ".*torch.jit.script", FutureWarning)  # SpikingJelly 0.0.0.0.14 says it that way
