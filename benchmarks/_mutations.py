"""Records with something wrong in them, for fuzz.py: valid ones changed at random, and some drawn by hypothesis."""

import json
import re

from sim2seq.data import records

SEEDS = [
    "id%mass%label%time%x\r\nrun_1%2.5%red%[0.0, 0.5]%[1.0, 2.0]\r\n",
    "id%x\na%[1.0]\nb%[-1e-300]\n",
    "id%note%y%z\nG_1%two words%[1, 2, 3]%[0.1, 1e308, -0.0]\nG_2%3%[1, 2, 3]%[4, 5, 6]\n",
    'id%"n"%"x"\n"run_2"%"1.5"%"[0.25]"\n',
]
TOKENS = ["%", '"', '""', "'", "[", "]", "[]", "[[", ",", ":", "{}", '{"a": 1}', "\\", "\n", "\r", "\r\n", "\n\n"]
TOKENS += ["\0", "\x07", "\x1b[2J", "\x1c", "\x85", "\u2028", "\ufeff", "\u202e", "\ud800", "\xa0", " ", "\t"]
TOKENS += [
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e999",
    "-0",
    "0x10",
    "1_0",
    "٣",
    "1e-400",
    "9" * 309,
    "1" * 5000,
    "1e",
    ".",
]
TOKENS += ["true", "null", "[1]", "[1,]", "[0.0, 0.5]", "[" * 990, "]" * 990, "[" * 990 + "]" * 990, "{" * 3000]
TOKENS += ["id", "../../x", "/etc/passwd", "..", "run_1", "a" * 256, "__import__('os')", "$(id)", "<script>", "\\u0031"]


def mutate(random, text: str, times: int) -> str:
    """A text changed a few times: cells, lines and characters put in, out, twice, or in each other's place."""
    for _ in range(times):
        change = random.choice((put_in, put_in, cut_out, put_twice, change_cell, change_cell, swap_cells, change_line))
        text = change(random, text)
    return text


def put_in(random, text: str) -> str:
    place = random.randint(0, len(text))
    return text[:place] + random.choice(TOKENS) + text[place:]


def cut_out(random, text: str) -> str:
    first, last = span(random, text)
    return text[:first] + text[last:]


def put_twice(random, text: str) -> str:
    first, last = span(random, text)
    return text[:last] + text[first:last] + text[last:]


def span(random, text: str) -> tuple[int, int]:
    first = random.randint(0, len(text))
    return first, min(len(text), first + random.randint(1, random.choice((1, 4, 40, 400))))


def change_cell(random, text: str) -> str:
    cells = re.split(r"([%\r\n]+)", text)
    cells[2 * random.randrange((len(cells) + 1) // 2)] = random.choice(TOKENS)
    return "".join(cells)


def swap_cells(random, text: str) -> str:
    cells = re.split(r"([%\r\n]+)", text)
    one, other = (2 * random.randrange((len(cells) + 1) // 2) for _ in range(2))
    cells[one], cells[other] = cells[other], cells[one]
    return "".join(cells)


def change_line(random, text: str) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(random.randint(0, len(lines)), random.choice([*lines, *SEEDS[random.randrange(4)].splitlines(True)]))
    return "".join(lines)


def changed_bytes(random, content: bytes, times: int) -> bytes:
    """Bytes flipped, set, cut out, put in or moved."""
    content = bytearray(content)
    for _ in range(times):
        place = random.randrange(len(content) or 1)
        size = random.choice((1, 1, 2, 4, 8, 64))
        new = random.choice(
            (random.randbytes(size), b"\xff" * size, b"\0" * size, bytes(content[place : place + size]))
        )
        where = random.randrange(len(content) or 1)
        content[where : where + random.choice((size, size, size, 0))] = new
    return bytes(content)


def drawn():
    """A hypothesis strategy: the text of a record of two runs, drawn column by column, sometimes with a wrong cell."""
    from hypothesis import strategies as st

    finite = st.floats(allow_nan=False, allow_infinity=False)
    wrong = st.text(max_size=20) | st.sampled_from(TOKENS)
    name = st.from_regex(r"[a-z_]{1,9}", fullmatch=True)
    number = finite.map(str) | st.integers().map(str)
    word = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=9)

    @st.composite
    def text(draw):
        steps = draw(st.integers(1, 4))
        series = st.lists(finite | st.integers(), min_size=steps, max_size=steps).map(json.dumps)
        kinds = draw(st.lists(st.sampled_from([series, series, number, word]), min_size=1, max_size=5))
        run_id = st.from_regex(records.SAFE_ID, fullmatch=True)
        lines = [["id", *(draw(name) for _ in kinds)]]
        lines += [[draw(run_id), *(draw(kind) for kind in kinds)] for _ in range(2)]
        if draw(st.booleans()):
            line = lines[draw(st.integers(0, 2))]
            line[draw(st.integers(0, len(kinds)))] = draw(wrong)
        end = draw(st.sampled_from(["\n", "\r\n"]))
        return "".join(records.DELIMITER.join(line) + end for line in lines)

    return text()
