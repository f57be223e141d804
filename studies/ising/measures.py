"""What is measured on lattices and chains: magnetisation, autocorrelation, effective sample size, thinning."""

import numpy as np

WINDOW = 3  # times the autocorrelation time: where its sum ends (Sokal 1997, with 6 times half of it)


def magnetisations(grids: np.ndarray) -> np.ndarray:
    """Sums of the spins (lattices,) of lattices (lattices, n_x, n_y)."""
    return grids.sum(axis=(1, 2), dtype=np.int64)


def autocorrelation(series: np.ndarray) -> np.ndarray:
    """Autocorrelation rho (window,), rho[0] = 1, of an observable (chains, steps), pooled over the chains.

    The mean is that of all chains: with many of them, short chains do not look less correlated than they are. The
    window ends where the sum of rho does not change any more but for noise. Raises ValueError for a constant series.
    """
    series = np.asarray(series, dtype=float)
    centred = series - series.mean()
    variance = (centred**2).mean()
    if variance == 0 or series.shape[1] < 2:
        raise ValueError("autocorrelation: expected at least two steps, and an observable that changes")
    rho, time = [1.0], 1.0
    for lag in range(1, series.shape[1]):
        rho.append(float((centred[:, lag:] * centred[:, :-lag]).mean() / variance))
        time += 2 * rho[-1]
        if lag >= WINDOW * max(time, 1.0):
            break
    return np.array(rho)


def summed(rho: np.ndarray, thinning: int = 1) -> float:
    """Autocorrelation time 1 + 2 * sum(rho) of every `thinning`-th step, in such steps; 1: they are independent."""
    return float(1 + 2 * rho[thinning::thinning].sum())


def autocorrelation_time(series: np.ndarray) -> float:
    """How many steps of (chains, steps) are worth one independent sample, 1 + 2 * sum(rho)."""
    return summed(autocorrelation(series))


def effective_sample_size(series: np.ndarray) -> float:
    """How many independent samples tell as much of the mean as (chains, steps) do."""
    return np.size(series) / autocorrelation_time(series)


def thinning_of(rho: np.ndarray, share: float) -> int:
    """The least thinning after which the effective sample size is at least `share` of the samples."""
    worth = (thinning for thinning in range(1, len(rho)) if summed(rho, thinning) <= 1 / share)
    return next(worth, len(rho))
