#!/usr/bin/env python
"""Play the dodging robot with the keyboard, and keep the session as one more recording of a person.

    python studies/dodging_robot/play.py --aim robot --minutes 1 --player anna

Keys: the left and the right arrow drive the robot while they are held, at 0.75 m/s as in the recordings; Escape ends,
and keeps what was played. The first arrow launches the balls. As for every policy, a command acts 0.1 s after it was
given.

The file has the columns of the first recordings (001 to 003): command, twice x, y (robot minus ball), vx, vy (of the
ball in the world), robot x, y; recordings.py reads it like the others.
"""

import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from sim2seq._support import command
from sim2seq._support.files import write_array
from studies.dodging_robot.policies import KEY
from studies.dodging_robot.recordings import NAME
from studies.dodging_robot.world import AIMED, AIMS, BALLS, WORLD

DRAWN = 5  # pictures a control step
FIRST = 101  # number of the first session; the source's recordings have those below
MOST_MINUTES = 60.0
BEGIN, KEYS = "press an arrow key to begin", "arrow keys drive, Escape ends"


class Keyboard:
    """Which arrows are held or were tapped, in the order in which they were pressed, and whether the player ended."""

    def __init__(self, pygame):
        self.pygame, self.held, self.tapped, self.ended = pygame, [], [], False
        self.ways = {pygame.K_LEFT: -1.0, pygame.K_RIGHT: 1.0}

    def listen(self) -> None:
        """Take the events that came since the last call."""
        self.tapped = []
        for event in self.pygame.event.get():
            if event.type == self.pygame.QUIT or getattr(event, "key", None) == self.pygame.K_ESCAPE:
                self.ended = True
            elif event.type == self.pygame.KEYDOWN and event.key in self.ways and event.key not in self.held:
                self.held.append(event.key)
                self.tapped.append(event.key)
            elif event.type == self.pygame.KEYUP and event.key in self.held:
                self.held.remove(event.key)

    @property
    def arrows(self) -> list[int]:
        """What is held; where nothing is, what was pressed and let go since the call of `listen` before."""
        return self.held or self.tapped

    @property
    def command(self) -> float:
        """m/s; of two arrows the one that was pressed last counts."""
        return KEY * self.ways[self.arrows[-1]] if self.arrows else 0.0


def play(episode, window, wait, note: str = "") -> np.ndarray:
    """Let a person play an environment.Episode in a window; returns its rows (rows, len(SERIES)), none if never begun.

    wait  called after each picture, until it is time for the next
    """
    from studies.dodging_robot import drawing

    def show(words: str) -> None:
        drawing.draw(window, episode.moment(title="you", note=words))
        drawing.pygame.display.flip()
        wait()

    keyboard, rows = Keyboard(drawing.pygame), []
    with suppress(KeyboardInterrupt):  # Ctrl-C in the terminal ends like Escape
        while not keyboard.arrows and not keyboard.ended:
            show(BEGIN)
            keyboard.listen()
        while episode.step < episode.steps and not keyboard.ended:
            rows.append(episode.row())
            for _ in episode.advance(keyboard.command, DRAWN):
                show(note if episode.time > 3 else KEYS)
            keyboard.listen()
    return np.array(rows)


def as_recorded(rows: np.ndarray) -> np.ndarray:
    """Rows (rows, len(SERIES)) in the columns of the first recordings, (rows, 11)."""
    balls = rows[:, 1:9].reshape(-1, BALLS, 4) * [-1, -1, 1, 1]
    return np.column_stack([rows[:, 0], balls.reshape(-1, 4 * BALLS), rows[:, -1], np.zeros(len(rows))])


def choose_file(output: Path | None, aim: str, player: str, replace: bool) -> Path:
    """The file of a session, by whose name recordings.py will know it; ValueError where it must not be written."""

    def name(number: int) -> str:
        return f"{number}_2ball_{aim}_{WORLD.launch_x:g}x{WORLD.launch_y:g}_vector_keyboard_{player}.npy"

    if output is None:
        taken = {path.name[:3] for path in Path.cwd().glob("*.npy")}
        output = next((Path(name(number)) for number in range(FIRST, 1000) if str(number) not in taken), None)
    if output is None:
        raise ValueError(f"{Path.cwd()}: expected a number from {FIRST} to 999 that is free")
    said = NAME.fullmatch(output.stem)
    if not said or said["aim"] != aim or float(said["width"]) != WORLD.launch_x or output.suffix != ".npy":
        raise ValueError(f"{output}: expected a name that says what was played, like {name(FIRST)}")
    if not output.absolute().parent.is_dir():
        raise ValueError(f"{output}: expected a folder that exists")
    if output.exists() and not replace:
        raise ValueError(f"{output}: exists; --replace overwrites it")
    return output


def parse(argv):
    keys = "Keys: the left and the right arrow drive while held, the first one begins; Escape ends and saves."
    what = "Play the dodging robot with the keyboard, and keep the session as a recording."
    parser = command.Parser(description=what, epilog=keys)
    parser.add_argument("--aim", choices=AIMS, default="robot", help="what the balls are aimed at")
    parser.add_argument("--minutes", type=float, default=1.0, help="how long to play")
    parser.add_argument("--seed", type=int, help="of the balls: equal seeds, equal balls; None: others each time")
    parser.add_argument("--player", default="me", help="your name, for the file's name: small letters")
    where = "file to write, named like a recording; None: 101_2ball_robot_1.5x5_vector_keyboard_me.npy or the next free"
    parser.add_argument("--output", "-o", metavar="FILE", type=Path, help=f"{where} number, in this folder")
    parser.add_argument("--replace", action="store_true", help="overwrite FILE")
    arguments = parser.parse_args(argv)
    if not 0 < arguments.minutes <= MOST_MINUTES:
        raise ValueError(f"--minutes {arguments.minutes}: expected more than 0 and up to {MOST_MINUTES:g}")
    if not (arguments.player.isascii() and arguments.player.isalpha() and arguments.player.islower()):
        raise ValueError(f"--player {arguments.player}: expected small letters a to z")
    if arguments.seed is not None and arguments.seed < 0:
        raise ValueError(f"--seed {arguments.seed}: expected 0 or more")
    return arguments


def main(argv=None):
    arguments = parse(argv)
    output = choose_file(arguments.output, arguments.aim, arguments.player, arguments.replace)
    from studies.dodging_robot import drawing
    from studies.dodging_robot.environment import Episode

    seed = int(np.random.default_rng().integers(2**31)) if arguments.seed is None else arguments.seed
    duration = max(2, round(60 * arguments.minutes / WORLD.control_step)) * WORLD.control_step
    episode = Episode(seed, arguments.aim, duration)
    window, clock = drawing.open_window("dodging robot"), drawing.pygame.time.Clock()
    pictures = round(DRAWN / WORLD.control_step)
    rows = play(episode, window, lambda: clock.tick(pictures), f"balls aimed {AIMED[arguments.aim]}")
    drawing.pygame.display.quit()
    if len(rows) < 2:
        return print("nothing was played, nothing is saved")
    write_array(output, as_recorded(rows))
    balls = episode.scene.counts["balls"][0]
    print(f"{output}: {len(rows) * WORLD.control_step:.1f} s, {balls} balls, {episode.hits} hits, seed {seed}")


if __name__ == "__main__":
    sys.exit(command.run(main))
