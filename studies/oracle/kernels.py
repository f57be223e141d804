"""The loops of a map's training, compiled with Numba.

Online updates follow one another: each looks for the neuron that is nearest to a row, and that depends on the update
before. NumPy can do one update of many runs at a time and reaches a sixteenth of MiniSom's time; compiled, a run stays
in the first cache and needs no other run beside it (benchmarks/oracle.py measures both). Compiled code is kept on disk.

weights   (features, neurons): a pass over the neurons is a pass over neighbouring numbers
values    (rows, features), finite; known (rows, features) bool: where false, the value is a gap and means nothing
"""

from __future__ import annotations

import numpy as np

try:
    from numba import njit
except ImportError as error:
    raise ValueError("the oracle's maps need the package numba: ./setup.sh oracle") from error

compiled = njit(cache=True, error_model="numpy")  # no fast-math: the same numbers on every machine


@compiled
def squared_distances(weights, values, known, row, found):
    """`found` (neurons,): squared distances to a row over its known features."""
    for neuron in range(found.size):
        found[neuron] = 0.0
    for feature in range(weights.shape[0]):
        if known[row, feature]:
            value, line = values[row, feature], weights[feature]
            for neuron in range(found.size):
                difference = value - line[neuron]
                found[neuron] += difference * difference


@compiled
def nearest(distances):
    """The place of the least distance, the first of equal ones."""
    place, least = 0, distances[0]
    for neuron in range(1, distances.size):
        if distances[neuron] < least:
            place, least = neuron, distances[neuron]
    return place


@compiled
def pull(weights, values, known, row, kernel, ranks, pulls):
    """Move every neuron towards a row, over its known features; `pulls` (neurons,) is room to work in."""
    for neuron in range(pulls.size):
        pulls[neuron] = kernel[ranks[neuron]]
    for feature in range(weights.shape[0]):
        if known[row, feature]:
            value, line = values[row, feature], weights[feature]
            for neuron in range(pulls.size):
                line[neuron] += pulls[neuron] * (value - line[neuron])


@compiled
def to_unit_norm(weights):
    """Scale the weights of each neuron to length 1; a neuron at 0 stays."""
    for neuron in range(weights.shape[1]):
        length = 0.0
        for feature in range(weights.shape[0]):
            length += weights[feature, neuron] ** 2
        if length > 0:
            for feature in range(weights.shape[0]):
                weights[feature, neuron] /= np.sqrt(length)


@compiled
def fill_kernel(kernel, factors, rate, radius, gaps, rises):
    """`kernel` (levels,): rate * exp(-level / (2 radius^2)), each from the one before: few exponentials are slow."""
    for gap in range(gaps.size):
        factors[gap] = np.exp(-gaps[gap] / (2 * radius**2))
    value = rate
    for level in range(kernel.size):
        value *= factors[rises[level]]
        kernel[level] = value


@compiled
def follow(weights, values, known, order, ends, rates, radii, gaps, rises, ranks, unit_norm):
    """Train `weights` in place on the rows `order`, one after the other.

    ends, rates, radii    (iterations,): iteration i uses the rows of `order` up to ends[i], with one rate and radius
    gaps, rises, ranks    of the Grid
    """
    room, kernel, first = np.empty(weights.shape[1]), np.empty(rises.size), 0
    factors = np.empty(gaps.size)
    for iteration in range(ends.size):
        fill_kernel(kernel, factors, rates[iteration], radii[iteration], gaps, rises)
        for place in range(first, ends[iteration]):
            row = order[place]
            squared_distances(weights, values, known, row, room)
            pull(weights, values, known, row, kernel, ranks[nearest(room)], room)
        first = ends[iteration]
        if unit_norm:
            to_unit_norm(weights)


@compiled
def two_nearest(weights, values, known, first, second, distance):
    """Of each row the nearest neuron, the second (of a single neuron: that one) and the distance to the nearest."""
    found = np.empty(weights.shape[1])
    for row in range(values.shape[0]):
        squared_distances(weights, values, known, row, found)
        place = nearest(found)
        first[row], distance[row] = place, np.sqrt(found[place])
        found[place] = np.inf
        second[row] = nearest(found)  # two short passes take less time than one that keeps two places


@compiled
def draw(rows, starts, cursors, takes, reshuffle, uniforms, order, ends):
    """Draw the rows of some iterations: `order` and `ends` as in `follow`.

    rows        all rows, section after section; a section is shuffled as it is walked through (Fisher and Yates)
    starts      (sections + 1,): where each section begins in `rows`
    cursors     (sections,): how far each one is walked through
    takes       (iterations,): rows that an iteration takes from each section, or all that it has
    reshuffle   walk a section to its end before it begins again; else every iteration begins again
    uniforms    random numbers from 0 to 1, one a row drawn
    """
    drawn = 0
    for iteration in range(takes.size):
        for section in range(cursors.size):
            size = starts[section + 1] - starts[section]
            if not reshuffle:
                cursors[section] = 0
            for _ in range(min(takes[iteration], size)):
                here = starts[section] + cursors[section]
                there = here + int(uniforms[drawn] * (size - cursors[section]))
                rows[here], rows[there] = rows[there], rows[here]
                order[drawn] = rows[here]
                drawn += 1
                cursors[section] = (cursors[section] + 1) % size
        ends[iteration] = drawn
