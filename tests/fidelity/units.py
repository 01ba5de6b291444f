# SPDX-License-Identifier: MIT
"""Units of the shipped network as functions of codes: the real loop, with the packages in the place of our searches.

build/tests/score_unit makes the image and shows it, as a census does; it speaks the frames of external_frame.h.
"""
import struct
import subprocess
from dataclasses import dataclass

import numpy as np

SUBJECT, GENERATOR, SPACE = "weights/spiking_resnet18.yaml", "weights/sn_gan_light.yaml", (128, 64)
UNITS = {"layer1.1.sn2/5": ("layer1.1.sn2", 5), "layer3.0.sn2/40": ("layer3.0.sn2", 40),
         "layer4.1.sn2/3": ("layer4.1.sn2", 3)}
FRAME = struct.Struct("<4sHHIIQ")
OBJECTIVE, READY, CODES, SCORES = 1, 2, 3, 4


def command(name: str, program: str = "build/tests/score_unit") -> list[str]:
    layer, channel = UNITS[name]
    return [program, SUBJECT, GENERATOR, layer, str(channel)]


@dataclass
class UnitValues:
    """Activations of codes; the program is started with the first ones."""

    name: str
    process: subprocess.Popen | None = None

    def __call__(self, codes: np.ndarray, n_points: int) -> np.ndarray:
        if self.process is None:
            self.process = subprocess.Popen(command(self.name), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self._ask(OBJECTIVE, n_points, codes.shape[1], b"", READY)
        answer = self._ask(CODES, *codes.shape, np.ascontiguousarray(codes, "<i4").tobytes(), SCORES)
        return np.frombuffer(answer, "<f4").astype(float)

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()
            self.process = None

    def _ask(self, kind: int, n_items: int, n_values: int, payload: bytes, expected: int) -> bytes:
        self.process.stdin.write(FRAME.pack(b"MEIX", 1, kind, n_items, n_values, len(payload)) + payload)
        self.process.stdin.flush()
        header = self.process.stdout.read(FRAME.size)
        if len(header) != FRAME.size:
            raise RuntimeError(f"{' '.join(command(self.name))}: ended without an answer")
        magic, _, answered, _, _, n_bytes = FRAME.unpack(header)
        if (magic, answered) != (b"MEIX", expected):
            raise RuntimeError(f"{' '.join(command(self.name))}: answered a frame of type {answered}")
        return self.process.stdout.read(n_bytes)
