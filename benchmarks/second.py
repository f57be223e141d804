"""What is a second worth on this machine? Times a known loop, to compare seconds of two machines by.

python benchmarks/second.py
"""

import time


def loop(count: int = 1_000_000) -> float:
    """Seconds for `count` additions, one after the other, in Python."""
    total, start = 0, time.perf_counter()
    for number in range(count):
        total += number
    return time.perf_counter() - start


if __name__ == "__main__":
    print(f"a million additions in Python: {1000 * min(loop() for _ in range(7)):.1f} ms")
