"""What other users of the machine must not read or change: files of mode 0600, and folders that nobody can swap."""

import os
import stat

OVERFLOW_UID = 65534  # how a container shows files of users it does not know, the real root among them


def write(path: str, content: bytes) -> None:
    """Write a new file that only this user may read, whatever the umask; FileExistsError for one that is there."""
    with open(descriptor(path), "wb") as file:
        file.write(content)


def descriptor(path: str) -> int:
    """A new file of mode 0600, open for writing. A link that somebody put there is not followed."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)


def weak_spot(folder: str) -> str | None:
    """The first of the folders from / down to `folder` whose entries another user may swap; None if there is none.

    Such a folder belongs to another user, or others may write to it and it is not sticky (as /tmp is).
    """
    path = os.path.realpath(folder)
    above = [path]
    while (path := os.path.dirname(above[-1])) != above[-1]:
        above.append(path)
    for path in reversed(above):
        status = os.stat(path)
        if status.st_uid not in (0, os.geteuid(), OVERFLOW_UID):
            return path
        if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
            return path
    return None


def keep_others_from_writing() -> None:
    """From now on this process and its children make no file that everybody may write, such as the script of a task."""
    os.umask(os.umask(0o077) | 0o002)
