"""How many dimensions gradients are projected to, and sizes at which scores would mean nothing."""

from __future__ import annotations

from pipeline.core.errors import InputError

LEAST, MOST = 512, 4096
EXACT_ABOVE = 128  # smallest dimension offered: traker breaks at 100 and below


def choose_dim(n_train: int, n_parameters: int) -> int:
    """The power of two at or above half the number of training images, from 512 to 4,096.

    More dimensions keep more of the kernel between images, and with a ridge of the order of the mean
    squared feature norm they do not overfit; beyond the rank of the kernel, which the number of images
    limits, they only cost. A sketch into as many dimensions as there are parameters is exact, so a small
    network gets no more than that.
    """
    dim = min(MOST, max(LEAST, _power_of_two_from(-(-n_train // 2))))
    return min(dim, max(EXACT_ABOVE, n_parameters))


def check_sizes(*, n_train: int, dim: int, ridge: float) -> None:
    """Refuse sizes at which the scores would be meaningless.

    Raises:
        InputError: dim <= 100, or more projected dimensions than images without a ridge.
    """
    if dim <= 100:
        raise InputError(
            f"attribute.proj_dim = {dim}: at most 100 dimensions do not keep inner products "
            "of gradients. Use 512 or more, or auto."
        )
    if ridge == 0 and dim > n_train:
        raise InputError(
            f"attribute.proj_dim = {dim} exceeds the {n_train} training images while "
            "attribute.ridge = 0: the scores would be arbitrary. Set attribute.ridge above 0 (1.0 serves) "
            f"or attribute.proj_dim to {n_train // 2} or less."
        )


def _power_of_two_from(n: int) -> int:
    return 1 << max(0, n - 1).bit_length()
