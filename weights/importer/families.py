# SPDX-License-Identifier: MIT
"""Layers of well-known families of networks, read off the names and shapes of torchvision's state dicts.

Each function gives the list `layers:` of an architecture file. Names are torchvision's; SpikingJelly's spiking
versions of these networks have the same tensors, with neurons in the place of ReLU.
"""
import re
from collections.abc import Callable

from .refusal import Refused
from .sources import State

Layers = list[dict]
Size = tuple[int, int]  # height, width


class Builder:
    """Appends layers and follows the size of the map."""

    def __init__(self, state: State, activation: str, size: Size):
        self.state, self.activation, self.size = state, activation, size
        self.layers: Layers = []

    def shape(self, name: str) -> tuple[int, ...]:
        if name not in self.state:
            raise Refused(f"{name} is missing: the state dict is of another family, or not torchvision's")
        return tuple(self.state[name].shape)

    def add(self, name: str, kind: str, **keys: object) -> None:
        self.layers.append({"name": name, "kind": kind, **keys})

    def window(self, kernel: int, stride: int, padding: int) -> None:
        self.size = tuple((size + 2 * padding - kernel) // stride + 1 for size in self.size)
        if min(self.size) < 1:
            raise Refused(f"{self.layers[-1]['name']}: nothing is left of the map; expected a larger --input")

    def convolution(self, name: str, stride: int = 1, padding: int | None = None, **keys: object) -> None:
        kernel = self.shape(f"{name}.weight")[2]
        padding = kernel // 2 if padding is None else padding
        self.add(name, "convolution", stride=stride, padding=padding, **keys)
        if "from" not in keys:
            self.window(kernel, stride, padding)

    def batch_norm(self, name: str, **keys: object) -> None:
        self.shape(f"{name}.running_mean")
        self.add(name, "batch_norm", **keys)

    def act(self, name: str) -> None:
        self.add(name, self.activation)

    def pool(self, name: str, kind: str, kernel: int, stride: int, padding: int = 0) -> None:
        self.add(name, kind, kernel=kernel, stride=stride, padding=padding)
        self.window(kernel, stride, padding)

    def adaptive_pool(self, name: str, target: int) -> None:
        """Mean over equal windows that leave target x target pixels."""
        if self.size == (target, target):
            return
        if target == 1:
            self.add(name, "global_mean")
        elif self.size[0] != self.size[1] or self.size[0] % target:
            raise Refused(f"{name}: a map of {self.size[0]} x {self.size[1]} cannot be averaged to {target} x {target} "
                          "in equal windows; expected an --input for which it can")
        else:
            window = self.size[0] // target
            self.pool(name, "average_pool", window, window)
        self.size = (target, target)

    def classifier(self, names: list[str], activations: list[str]) -> None:
        """Linear layers with an activation between two."""
        self.add("flatten", "flatten")
        for number, name in enumerate(names):
            self.shape(f"{name}.weight")
            self.add(name, "linear")
            if number < len(activations):
                self.act(activations[number])


def _numbers(state: State, prefix: str) -> list[int]:
    """Numbers of the modules PREFIX.N that have weights, rising."""
    found = {int(match[1]) for name in state if (match := re.fullmatch(rf"{prefix}\.(\d+)\.weight", name))}
    return sorted(found)


def _linear_stack(builder: Builder, features: int) -> None:
    """torchvision's `classifier`, or one linear layer of that name; its pool is known by the inputs of the first."""
    numbers = _numbers(builder.state, "classifier")
    names = [f"classifier.{n}" for n in numbers] or ["classifier"]
    pixels, rest = divmod(builder.shape(f"{names[0]}.weight")[1], features)
    target = round(pixels ** 0.5)
    if rest or target * target != pixels:
        raise Refused(f"{names[0]}.weight: {builder.shape(f'{names[0]}.weight')[1]} inputs are no square map of {features} channels")
    builder.adaptive_pool("avgpool", target)
    builder.classifier(names, [f"classifier.{n + 1}" for n in numbers[:-1]])


def vgg(builder: Builder) -> None:
    """VGG: convolutions of 3 x 3, max pools of 2 where the numbers of `features` leave room for one."""
    numbers = [n for n in _numbers(builder.state, "features") if len(builder.shape(f"features.{n}.weight")) == 4]
    if not numbers:
        raise Refused("features.0.weight is missing: not a VGG")
    normed = f"features.{numbers[0] + 1}.running_mean" in builder.state
    for this, following in zip(numbers, numbers[1:] + [None]):
        if builder.shape(f"features.{this}.weight")[2:] != (3, 3):
            raise Refused(f"features.{this}.weight: its window is not 3 x 3; not a VGG")
        builder.convolution(f"features.{this}")
        if normed:
            builder.batch_norm(f"features.{this + 1}")
        after = this + 1 + normed
        builder.act(f"features.{after}")
        if following is None or following == after + 2:
            builder.pool(f"features.{after + 1}", "max_pool", 2, 2)
        elif following != after + 1:
            raise Refused(f"features.{after + 1} to features.{following - 1}: more than a max pool; not a VGG")
    _linear_stack(builder, builder.shape(f"features.{numbers[-1]}.weight")[0])


def alexnet(builder: Builder) -> None:
    """AlexNet as torchvision has it: strides and pools are not in a state dict."""
    for number, (stride, padding, pool) in {0: (4, 2, True), 3: (1, 2, True), 6: (1, 1, False), 8: (1, 1, False),
                                            10: (1, 1, True)}.items():
        builder.convolution(f"features.{number}", stride, padding)
        builder.act(f"features.{number + 1}")
        if pool:
            builder.pool(f"features.{number + 2}", "max_pool", 3, 2)
    _linear_stack(builder, builder.shape("features.10.weight")[0])


def _residual_block(builder: Builder, name: str, before: str, stride: int) -> str:
    """Basic (two convolutions) or bottleneck (three, the second of which strides); gives the name of its last layer."""
    n_convolutions = 3 if f"{name}.conv3.weight" in builder.state else 2
    striding = 2 if n_convolutions == 3 else 1
    for i in range(1, n_convolutions + 1):
        builder.convolution(f"{name}.conv{i}", stride if i == striding else 1)
        builder.batch_norm(f"{name}.bn{i}")
        if i < n_convolutions:
            builder.act(f"{name}.sn{i}")
    shortcut = before
    if f"{name}.downsample.0.weight" in builder.state:
        builder.convolution(f"{name}.downsample.0", stride, 0, **{"from": before})
        builder.batch_norm(f"{name}.downsample.1")
        shortcut = f"{name}.downsample.1"
    builder.add(f"{name}.add", "add", inputs=[f"{name}.bn{n_convolutions}", shortcut])
    builder.act(f"{name}.sn{n_convolutions}")
    return f"{name}.sn{n_convolutions}"


def resnet(builder: Builder) -> None:
    """ResNet; a stem of 7 x 7 strides and is pooled, one of 3 x 3 does neither. Activations are called sn1, sn2, sn3."""
    small = builder.shape("conv1.weight")[2] == 3
    builder.convolution("conv1", 1 if small else 2)
    builder.batch_norm("bn1")
    builder.act("sn1")
    before = "sn1"
    if not small:
        builder.pool("maxpool", "max_pool", 3, 2, 1)
        before = "maxpool"
    for stage in range(1, 5):
        blocks = {int(match[1]) for name in builder.state if (match := re.match(rf"layer{stage}\.(\d+)\.", name))}
        for block in sorted(blocks):
            before = _residual_block(builder, f"layer{stage}.{block}", before, 2 if stage > 1 and block == 0 else 1)
    builder.adaptive_pool("avgpool", 1)
    builder.classifier(["fc"], [])


def _dense_layer(builder: Builder, name: str, before: str) -> str:
    builder.batch_norm(f"{name}.norm1", **{"from": before})
    builder.act(f"{name}.relu1")
    builder.convolution(f"{name}.conv1")
    builder.batch_norm(f"{name}.norm2")
    builder.act(f"{name}.relu2")
    builder.convolution(f"{name}.conv2")
    builder.add(f"{name}.concatenate", "concatenate", inputs=[before, f"{name}.conv2"])
    return f"{name}.concatenate"


def _count(state: State, pattern: str) -> int:
    return len({match[1] for name in state if (match := re.match(pattern, name))})


def densenet(builder: Builder) -> None:
    """DenseNet with bottlenecks; a stem of 7 x 7 strides and is pooled, one of 3 x 3 does neither."""
    small = builder.shape("features.conv0.weight")[2] == 3
    builder.convolution("features.conv0", 1 if small else 2)
    builder.batch_norm("features.norm0")
    builder.act("features.relu0")
    before = "features.relu0"
    if not small:
        builder.pool("features.pool0", "max_pool", 3, 2, 1)
        before = "features.pool0"
    n_blocks = _count(builder.state, r"features\.denseblock(\d+)\.")
    for block in range(1, n_blocks + 1):
        for layer in range(1, _count(builder.state, rf"features\.denseblock{block}\.denselayer(\d+)\.") + 1):
            before = _dense_layer(builder, f"features.denseblock{block}.denselayer{layer}", before)
        if block < n_blocks:
            name = f"features.transition{block}"
            builder.batch_norm(f"{name}.norm")
            builder.act(f"{name}.relu")
            builder.convolution(f"{name}.conv")
            builder.pool(f"{name}.pool", "average_pool", 2, 2)
            before = f"{name}.pool"
    builder.batch_norm("features.norm5")
    builder.act("relu")
    builder.adaptive_pool("avgpool", 1)
    builder.classifier(["classifier"], [])


FAMILIES: dict[str, Callable[[Builder], None]] = {
    "alexnet": alexnet, "densenet": densenet, "resnet": resnet, "vgg": vgg}
