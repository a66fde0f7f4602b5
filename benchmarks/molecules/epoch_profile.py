"""What the CPU time of an epoch on bbb goes into, by torch's profiler."""

from lightning.pytorch import Callback, LightningModule, Trainer
from torch.profiler import ProfilerActivity, profile

from benchmarks.kernels import profiled
from benchmarks.molecules import epoch_side
from benchmarks.molecules.epoch import WARM


class Seen(Callback):
    """Profiles the last epoch."""

    def __init__(self) -> None:
        self.profile = profile(activities=[ProfilerActivity.CPU])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begins to look, if this is the last one."""
        if trainer.current_epoch == WARM:
            self.profile.start()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Has seen it."""
        if trainer.current_epoch == WARM:
            self.profile.stop()


def table(threads: int = 1, molecules: int | None = None) -> str:
    """Operators, how often an epoch calls each, and its share of the epoch; markdown."""
    seen = Seen()
    epoch_side.train(epoch_side.bbb(molecules), WARM + 1, threads, seen)
    return profiled.markdown(profiled.of(seen.profile, 1), "epoch")
