"""Student's interval around an estimate; all intervals of this package are made here."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import t as student

LEVEL = 0.95

Interval = tuple[float, float]


def student_interval(middle: float, variance: float, freedom: float) -> Interval:
    """Return the 95 % interval around an estimate.

    By hand: with three degrees of freedom, variance 4 reaches 2 times 3.1824 to either side.

    Args:
        middle: The estimate.
        variance: Of the estimate, in squares of its unit; 0 gives the estimate as both ends.
        freedom: Degrees of freedom that the variance was estimated with; below 1 counts as 1.

    References:
        Student (1908), The probable error of a mean.
    """
    if variance <= 0:
        return middle, middle
    half = float(student.ppf((1 + LEVEL) / 2, max(1.0, freedom))) * float(variance) ** 0.5
    return float(middle) - half, float(middle) + half


def summed(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return variance and degrees of freedom of a sum of independent errors.

    By hand: (1, 4) and (1, 4) have variance 2, and freedom 4 / (1/4 + 1/4) = 8.

    References:
        Welch (1947) and Satterthwaite (1946), for the degrees of freedom.
    """
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return 0.0, 1.0
    return variance, variance**2 / sum(part**2 / max(1.0, df) for part, df in parts)
