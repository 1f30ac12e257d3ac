"""The slope of the logarithm of the ratio of two distributions, with its error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slope_of_ratio(
    first: NDArray[np.float64], second: NDArray[np.float64], expected: float
) -> tuple[float, float]:
    """Slope of ln P2(x)/P1(x) by maximum likelihood, and its standard error.

    Equations 8 and 9 of Shirts (2013): a logistic regression of which series a value is from. The
    error is the one at the expected slope: at the slope that was found it would be large or small
    by the same chance. It is widened by what successive values still have in common,
    (1 + r) / (1 - r) in its square for an autocorrelation r.

    Args:
        first: Nearly independent values, shape (n,).
        second: The same at the other state, shape (m,).
        expected: Slope for which the error is given.
    """
    values = np.concatenate([first, second])
    scale = float(values.std())
    terms = np.stack([(values - values.mean()) / scale, np.ones(len(values))])
    is_second = np.arange(len(values)) >= len(first)
    found = logistic_regression(terms, is_second)
    # With the slope held fast, the constant alone is left to fit.
    shift = expected * scale * terms[0]
    constant = logistic_regression(terms[1:], is_second, shift)
    information = fisher_information(terms, constant @ terms[1:] + shift)
    shared = max(0.0, (autocorrelation(first) + autocorrelation(second)) / 2)
    error = np.sqrt(np.linalg.inv(information)[0, 0] * (1 + shared) / (1 - shared))
    return float(found[0]) / scale, float(error) / scale


def logistic_regression(
    terms: NDArray[np.float64], is_second: NDArray[np.bool_], shift: NDArray[np.float64] | float = 0
) -> NDArray[np.float64]:
    """Coefficients of `terms`, shape (p, n), in the log odds beside `shift`; shape (p,)."""
    coefficients = np.zeros(len(terms))
    for _ in range(50):  # Newton's method: the likelihood is concave
        log_odds = coefficients @ terms + shift
        score = terms @ (is_second - 1 / (1 + np.exp(-log_odds)))
        coefficients += np.linalg.solve(fisher_information(terms, log_odds), score)
    return coefficients


def fisher_information(
    terms: NDArray[np.float64], log_odds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of the coefficients of `terms`, shape (p, p)."""
    chance = 1 / (1 + np.exp(-log_odds))
    return np.asarray((terms * (chance * (1 - chance))) @ terms.T)


def autocorrelation(series: NDArray[np.float64]) -> float:
    """Of each value with the next."""
    deviation = series - series.mean()
    return float(deviation[1:] @ deviation[:-1] / (deviation @ deviation))
