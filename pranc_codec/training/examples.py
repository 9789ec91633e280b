"""Choose the training data that the options ask for."""

from pranc_codec.grid.context import ContextModel
from pranc_codec.training.fitted_windows import FittedWindows
from pranc_codec.training.options import TrainingOptions
from pranc_codec.training.symbols import ChosenSymbols, Examples


def examples_of(options: TrainingOptions, chooser: ContextModel) -> Examples:
    """Return the training data.

    These are fitted windows if the options name a folder of them, else windows of photographs whose
    symbols `chooser` decides.
    """
    if options.fitted is not None:
        return FittedWindows.load(options.fitted, crops=options.crops)
    return ChosenSymbols.load(options.photos, chooser, crops=options.crops, side=options.side)
