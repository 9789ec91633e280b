"""The device that computations run on."""

import torch

from pranc_codec.errors import InvalidArgument


def default_device() -> torch.device:
    """Return a GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(device: torch.device | str | None) -> torch.device:
    """Return the device that the caller names, or the default one.

    Raises InvalidArgument for a device that cannot be used.
    """
    if device is None:
        return default_device()
    try:
        where = torch.device(device)
        torch.zeros(1, device=where).cpu()  # fails on the meta device
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InvalidArgument(f"device {device!r} cannot be used: {error}") from error
    return where
