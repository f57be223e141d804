"""Places: what is left of a frame when only where things are counts, and the frames of an ensemble as that.

A world's places are, in this order, those of its name in PLACES, found by locating.py; units are pixels. They may be
learned and are what every model is judged by. The true state of the simulation is never looked at.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from sim2seq.data.ensemble import Ensemble
from sim2seq.data.streaming import chunks
from studies.pong.atari import AtariPong
from studies.pong.locating import find_ball, find_cube, find_hole, find_planks, find_rally
from studies.pong.worlds import SIZES, CubeCrash, Pong

FRAME, ACTION, TERMINAL = "frame", "action", "terminal"  # series of an episode
PLACES = {Pong.name: ("ball_x", "ball_y", "left", "right"), CubeCrash.name: ("cube_x", "cube_y", "hole_x")}
PLACES |= {AtariPong.name: AtariPong.names}


def find(world, frames: np.ndarray) -> np.ndarray:
    """(..., places): where things are in frames (..., height, width), 0 to 255."""
    if world.name == CubeCrash.name:
        return np.concatenate([find_cube(world, frames), find_hole(world, frames)[..., None]], axis=-1)
    if world.name == AtariPong.name:
        return find_rally(world, frames)
    return np.concatenate([find_ball(world, frames), find_planks(world, frames)], axis=-1)


def world_of(features) -> Pong | CubeCrash | AtariPong:
    """The world whose frames these features are. Raises ValueError for features that are no frames of one."""
    found = [re.fullmatch(rf"{FRAME}\[(\d+),(\d+)\]", name) for name in features]
    last = [match for match in found if match]
    height, width = (int(last[-1][axis]) + 1 for axis in (1, 2)) if last else (0, 0)
    return world_of_size(height, width)


def world_of_size(height: int, width: int) -> Pong | CubeCrash | AtariPong:
    """The world whose frames have this size. Raises ValueError for one that is none's."""
    worlds = [CubeCrash(), AtariPong(), *map(Pong, SIZES)]
    for world in worlds:
        if (height, width) == (world.height, world.width):
            return world
    sizes = ", ".join(f"{world.height} x {world.width}" for world in worlds)
    raise ValueError(f"frames: expected those of a world, {sizes}; got {height} x {width} pixels")


def is_frames(ensemble: Ensemble) -> bool:
    """Whether the runs are frames still."""
    return any(name.startswith(f"{FRAME}[") for name in ensemble.features)


def frames_of(world, values: np.ndarray) -> np.ndarray:
    """(..., height, width): the frames among values (..., height * width and more)."""
    return values[..., : world.height * world.width].reshape(*values.shape[:-1], world.height, world.width)


def of_frames(ensemble: Ensemble) -> Ensemble:
    """The same runs with places, `terminal` and `action` as their features, in pixels."""
    world = world_of(ensemble.features)
    others = ensemble.places([TERMINAL, ACTION])
    found = [
        np.concatenate([find(world, frames_of(world, chunk)), chunk[..., others]], axis=-1, dtype="float32")
        for chunk in chunks(ensemble.values)
    ]
    values = np.concatenate(found)
    values[np.arange(ensemble.steps) >= ensemble.lengths[:, None]] = np.nan
    names = PLACES[world.name]
    features, units = (*names, TERMINAL, ACTION), dict.fromkeys(names, "px")
    return replace(ensemble, values=values, features=features, units=ensemble.units | units)


def placed(ensemble: Ensemble) -> Ensemble:
    """The runs as places, whatever they were."""
    return of_frames(ensemble) if is_frames(ensemble) else ensemble
