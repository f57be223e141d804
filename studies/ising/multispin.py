"""Many chains in one machine word: bit c of word w belongs to chain 64 w + c, and an operation on words acts on all.

Numbers of each chain are held in binary, a word a digit ("bit planes", lowest first). All arrays are uint64 and of one
shape. G. Bhanot, D. Duke and R. Salvador, J. Stat. Phys. 44, 985 (1986), have the idea; what is different here is that
no random bit is shared between chains.
"""

import math
from functools import reduce

import numpy as np

WORD = 64  # chains
DIGITS = 7  # of a probability that `coins` decides for whole words; what is open then, 1 in 128, is decided one by one


def packed(spins: np.ndarray) -> np.ndarray:
    """Spins plus or minus one (chains, rows) as words (rows, words); chains are filled up to whole words with -1."""
    whole = -(-len(spins) // WORD) * WORD
    bits = np.zeros((spins.shape[1], whole), dtype=bool)
    bits[:, : len(spins)] = spins.T > 0
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def unpacked(words: np.ndarray, chains: int) -> np.ndarray:
    """Words (rows, words) as spins plus or minus one (chains, rows), int8."""
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little", count=chains)
    return np.ascontiguousarray(bits.T).view(np.int8) * np.int8(2) - np.int8(1)


def random_words(generator: np.random.Generator, shape) -> np.ndarray:
    """Words of 64 independent fair bits each."""
    return generator.bit_generator.random_raw(math.prod(shape)).reshape(shape)


def added(bits: list[np.ndarray], weights) -> list[np.ndarray]:
    """Bit planes of the sum of weight * bit; weights are powers of 2. Changes `bits`."""
    planes, most = [], 0
    for weight, carry in sorted(zip(weights, bits, strict=True), key=lambda pair: pair[0]):
        most += weight
        for place in range(int(weight).bit_length() - 1, int(most).bit_length()):
            if place == len(planes):
                planes.append(carry)
                break
            following = planes[place] & carry
            planes[place] ^= carry
            carry = following
    return planes


def equals(planes: list[np.ndarray], limit: int) -> list[np.ndarray]:
    """For each number from 0 to limit - 1: where the number in the bit planes is this one."""
    found = [~planes[-1], planes[-1]]
    for place in range(len(planes) - 2, -1, -1):
        kept = found[: -(-limit // 2 ** (place + 1))]  # those that lead to numbers below the limit
        halves = [(mask, mask & planes[place]) for mask in kept]
        found = [each for mask, high in halves for each in (mask ^ high, high)]
    return found[:limit]


def union(masks: list[np.ndarray]) -> np.ndarray:
    """Where any of the masks is 1; of one mask that mask itself."""
    return reduce(np.bitwise_or, masks)


def coins(
    generator: np.random.Generator, masks: list[np.ndarray], chances: np.ndarray, among: np.ndarray
) -> np.ndarray:
    """A bit that is 1 with probability chances[v] where masks[v] is 1, independent in all chains and places.

    The masks exclude one another; only where `among` is 1 a coin is thrown, elsewhere the bit is 0. In a row of fair
    bits the first 1 is the k-th with probability 2^-k, so it chooses a binary digit of the chance: 1 with probability
    chance. What is open after DIGITS bits gets a uniform number of its own, so that chances are exact to 2^-53.
    """
    open_, found = among.copy(), np.zeros_like(among)
    chances = np.minimum(chances, 1 - 2.0**-53)  # 1 has no digits after the point, this has 53
    for digit in range(1, DIGITS + 1):
        chosen = random_words(generator, among.shape)
        chosen &= open_
        open_ ^= chosen
        ones = [mask for mask, chance in zip(masks, chances, strict=True) if chance * 2**digit % 2 >= 1]
        if ones:
            found |= chosen if len(ones) == len(masks) else chosen & union(ones)
    decide(generator, masks, chances * 2.0**DIGITS % 1, open_, found)
    return found


def decide(generator, masks, chances, open_: np.ndarray, found: np.ndarray) -> None:
    """Throw the coins of the few chains that are `open_`, one of each word at a time; writes into `found`."""
    where = np.flatnonzero(open_ != 0)
    bits, flat, others = open_.ravel()[where], found.reshape(-1), [mask.ravel()[where] for mask in masks[1:]]
    while len(where):
        one = bits & -bits  # the lowest open chain of each word
        chance = chances[0]
        for mask, other in zip(others, chances[1:], strict=True):
            chance = np.where(mask & one != 0, other, chance)
        flat[where] |= np.where(generator.random(len(where)) < chance, one, np.uint64(0))
        bits ^= one
        left = np.flatnonzero(bits != 0)
        where, bits, others = where[left], bits[left], [mask[left] for mask in others]
