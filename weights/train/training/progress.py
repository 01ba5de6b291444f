# SPDX-License-Identifier: MIT
"""One line that says where the training is and when it will be done."""
import sys
import time

SMOOTHING = 0.05  # weight of the newest step in the moving average
MEASURED_STEPS = 20


def duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes == 0:
        return f"{seconds:.0f} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


class Progress:
    """Written over and over on a terminal; in a file, the estimate after some steps and then one line an epoch.

    Costs are counted in presentations of a batch, steps times T, which take about the same time in every stage.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.seconds = 0.0  # a presentation of a batch
        self.n_steps = 0
        self.last = time.monotonic()
        self.terminal = sys.stdout.isatty()

    def step(self, text: str, timesteps: int, cost_left: int) -> None:
        """After each step of training. cost_left: presentations of a batch still to come."""
        now = time.monotonic()
        seconds, self.last = (now - self.last) / timesteps, now
        self.n_steps += 1
        weight = max(SMOOTHING, 1 / self.n_steps)
        self.seconds += weight * (seconds - self.seconds)
        line = f"{text}  {self.seconds * timesteps:.2f} s a step  {duration(self.seconds * cost_left)} left"
        if self.terminal:
            print(f"\r{line:100}", end="", flush=True)
        elif self.n_steps == MEASURED_STEPS:
            print(f"{line} ({self.seconds * cost_left / 3600:.2f} hours)", flush=True)

    def epoch(self, text: str, cost_left: int) -> None:
        """After each epoch and its measurement."""
        line = f"{text}  {duration(self.seconds * cost_left)} left"
        print(f"\r{line:100}" if self.terminal else line, flush=True)
        self.last = time.monotonic()
